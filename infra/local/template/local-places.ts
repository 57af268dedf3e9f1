/** What the template names by its place in AWS, replaced by what stands for it on this machine. */
import type { Template } from './parts.ts';

export interface TemplateModel {
  readonly baseUrl: string;
  /** The endpoint of a model that wants a key, as opposed to the scripted stand-in. @default false */
  readonly real?: boolean;
}

/** Whether the harness asks with its own role, so that the template has no key: Bedrock, or Claude Platform on AWS. */
export function asksWithRole(template: Template): boolean {
  return template.outputs['ModelApiKeySecretArn'] === undefined;
}

/** @throws when a real model was chosen and could not be asked: nothing on this machine has a role of AWS */
export function askingModel(template: Template, { baseUrl, real = false }: TemplateModel): Template {
  if (real && asksWithRole(template)) {
    throw new Error(
      'This template asks its model with an AWS role, which only the scripted stand-in answers on this machine: ' +
        'unset ANTHROPIC_API_KEY, or synthesize with model.provider=anthropic.',
    );
  }
  const functions = template.functions.map((part) =>
    part.environment['MODEL_BASE_URL'] === undefined
      ? part
      : { ...part, environment: { ...part.environment, MODEL_BASE_URL: baseUrl } },
  );
  return { ...template, functions };
}

/**
 * The API's address on this machine in the place of the deployed one: functions that send browsers to the API know it, and
 * outputs tell it. Customers' own domains stay.
 */
export function servedAt(template: Template, url: string): Template {
  const deployed = template.outputs['BaseUrl'];
  if (deployed === undefined) return template;
  const here = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.replace(deployed, url)]));
  const functions = template.functions.map((part) => ({ ...part, environment: here(part.environment) }));
  return { ...template, functions, outputs: here(template.outputs) };
}
