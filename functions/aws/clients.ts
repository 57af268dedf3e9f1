/** The SDK's client of DynamoDB, without the work that changes nothing here: Lambda bills its processor time with every call. */
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { roleCredentials, type Env } from '#aws/settings.ts';

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
  const client = new DynamoDBClient({ ...ONCE, credentials: roleCredentials(env) });
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
