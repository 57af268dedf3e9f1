/** The SDK's client of DynamoDB, without the work that changes nothing here: Lambda bills its processor time with every call. */
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import aws4 from 'aws4';
import { roleCredentials, setting, type Env } from '#aws/settings.ts';

/** They describe the caller to AWS, or each input and output to a logger that drops them, or what `writePlainly` writes. */
const LEFT_OUT = [
  'getUserAgentMiddleware',
  'loggerMiddleware',
  'recursionDetectionMiddleware',
  'contentLengthMiddleware',
];

/** Each command's middleware is put together once. A request that has options of its own is not affected. */
const ONCE = { cacheMiddleware: true } as const;

export function createDynamoDb(env: Env): DynamoDBClient {
  const client = new DynamoDBClient({ ...ONCE, credentials: roleCredentials(env), signer: createSigner(env) });
  for (const name of LEFT_OUT) client.middlewareStack.remove(name);
  writePlainly(client);
  return client;
}

interface Endpoint {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}

/** What is used of the SDK's protocol. Its own type is a union that cannot be called. */
interface Protocol {
  serializeRequest(
    operation: { readonly name: string },
    input: object,
    context: { endpoint(): Promise<Endpoint> },
  ): Promise<object>;
  deserializeResponse(
    operation: unknown,
    context: unknown,
    response: { readonly statusCode: number; readonly body: Readable },
  ): Promise<object>;
}

/**
 * Commands of tables are JSON already, without bytes or instants that are read: they need no walk along their schemas. A
 * refusal is left to the SDK, which makes its exceptions.
 */
function writePlainly({ config }: DynamoDBClient): void {
  const protocol = config.protocol as unknown as Protocol;
  const plain: Protocol = {
    async serializeRequest({ name }, input, { endpoint }) {
      const { hostname, port, path, protocol: scheme } = await endpoint();
      const body = JSON.stringify(input);
      const headers = {
        'content-type': 'application/x-amz-json-1.0',
        'content-length': String(Buffer.byteLength(body)),
        'x-amz-target': `DynamoDB_20120810.${name}`,
      };
      return { method: 'POST', protocol: scheme, hostname, port, path, query: {}, headers, body };
    },
    async deserializeResponse(operation, context, response) {
      if (response.statusCode !== 200) return protocol.deserializeResponse(operation, context, response);
      const output: object = JSON.parse(await text(response.body));
      return { ...output, $metadata: {} };
    },
  };
  config.protocol = Object.assign(Object.create(protocol), plain);
}

type Signer = Extract<NonNullable<DynamoDBClientConfig['signer']>, { sign: unknown }>;

/** It takes a third of the processor time of the SDK's signer, which hashes in streams and looks up the region each time. */
function createSigner(env: Env): Signer {
  const credentials = roleCredentials(env);
  const region = setting(env, 'AWS_REGION');
  return {
    async sign(request, { signingDate = new Date() } = {}) {
      // The SDK knows how wrong the clock is. `host` is in the headers, so what else names the place changes nothing.
      const at = new Date(signingDate).toISOString().replaceAll(/[-:]|\.\d+/g, '');
      const headers = { ...request.headers, 'X-Amz-Date': at };
      const place = { service: 'dynamodb', region, method: 'POST', path: '/', body: request.body };
      Object.assign(request.headers, aws4.sign({ ...place, headers }, credentials).headers);
      return request;
    },
  };
}
