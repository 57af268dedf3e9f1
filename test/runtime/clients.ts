/** Clients of a running service's AWS, with the rights of its functions, for what tests write beside them. */
import { serviceOf } from '#infra/local/lambda/environment.ts';
import type { Runtime } from '#infra/local/runtime.ts';

/** The configuration of a client that calls AWS as this function does, with its role. */
export function clientOf({ aws, template }: Runtime, entry: string) {
  const part = template.functions.find((one) => serviceOf(one) === entry);
  if (part === undefined) throw new Error(`the template has no function ${entry}`);
  const caller = { functionName: part.name, roleArn: part.roleArn, worker: 'test' };
  const { url: endpoint, credentialsFor } = aws.endpoint;
  return { endpoint, region: template.region, credentials: credentialsFor(caller) };
}

/** The name of a table, which functions get in this environment variable. */
export function tableIn({ template }: Runtime, variable: string): string {
  const [name] = template.functions.flatMap(({ environment }) => environment[variable] ?? []);
  if (name === undefined) throw new Error(`no function has ${variable}`);
  return name;
}
