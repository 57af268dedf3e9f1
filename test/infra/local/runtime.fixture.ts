/** A small template with every part that a runtime plays, and functions that do what a test asks of them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeCdkOut } from './cdk-out.fixture.ts';

/**
 * One bundle for all functions. The API function makes the AWS call that a request describes; the harness waits while
 * the file named by its execution's input exists.
 */
const CODE = `
import { existsSync } from 'node:fs';
import { AwsV4Signer } from ${JSON.stringify(import.meta.resolve('aws4fetch'))};
const { AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, POWERTOOLS_SERVICE_NAME } = process.env;
async function aws({ service, target, body }) {
  const signer = new AwsV4Signer({
    url: AWS_ENDPOINT_URL,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    region: AWS_REGION,
    service,
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target },
    body: JSON.stringify(body),
  });
  const { url, ...signed } = await signer.sign();
  const response = await fetch(url, signed);
  return { status: response.status, answer: await response.json() };
}
async function api(event) {
  if (event.ResponseURL) {
    console.log('custom resource ' + event.RequestType);
    return void (await fetch(event.ResponseURL, { method: 'PUT', body: JSON.stringify({ Status: 'SUCCESS' }) }));
  }
  return { statusCode: 200, body: JSON.stringify(await aws(JSON.parse(event.body))) };
}
async function harness(event) {
  console.log('turn');
  while (event.hold && existsSync(event.hold)) await new Promise((resolve) => setTimeout(resolve, 5));
  return { ...event, turn: { do: 'idle' } };
}
export const handler = { api, harness, execute: async () => null }[POWERTOOLS_SERVICE_NAME];
`;

const OUTPUTS = {
  FirstApiKeySecretArn: { Value: { Ref: 'Key' } },
  ModelApiKeySecretArn: { Value: { Ref: 'ModelApiKey' } },
};

/** @returns the folder of the synthesized template with the outputs of every template and these */
export function writeRuntimeTemplate(outputs: Readonly<Record<string, string>> = {}): string {
  const dir = writeCdkOut({ ModelApiKey: { Type: 'AWS::SecretsManager::Secret', Properties: {} } });
  const added = Object.fromEntries(Object.entries(outputs).map(([name, Value]) => [name, { Value }]));
  const file = join(dir, 'Brainstem.template.json');
  const template = JSON.parse(readFileSync(file, 'utf8')) as Record<string, object>;
  writeFileSync(file, JSON.stringify({ ...template, Outputs: { ...template['Outputs'], ...OUTPUTS, ...added } }));
  writeFileSync(join(dir, `asset.${'a'.repeat(64)}`, 'index.mjs'), CODE);
  return dir;
}
