/**
 * The SDK's clients, without the work that changes nothing here: it is more than a third of the processor time that
 * Lambda bills for a turn.
 */
import { createHmac, hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { SFNClient } from '@aws-sdk/client-sfn';
import { roleCredentials, setting, type Env } from '#aws/settings.ts';

/** They describe the caller to AWS, or each input and output to a logger that drops them. */
const DESCRIBING = ['getUserAgentMiddleware', 'loggerMiddleware'];

/** Each command's middleware is put together once. A request that has options of its own is not affected. */
const ONCE = { cacheMiddleware: true } as const;

export function createDynamoDb(env: Env): DynamoDBClient {
  const client = new DynamoDBClient({
    ...ONCE,
    credentials: roleCredentials(env),
    signer: createSigner(env, 'dynamodb'),
  });
  for (const name of [...DESCRIBING, 'recursionDetectionMiddleware', 'contentLengthMiddleware']) {
    client.middlewareStack.remove(name);
  }
  writePlainly(client);
  return client;
}

export function createStepFunctions(env: Env): SFNClient {
  const client = new SFNClient({ ...ONCE, credentials: roleCredentials(env), signer: createSigner(env, 'states') });
  for (const name of DESCRIBING) client.middlewareStack.remove(name);
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
 * Commands of tables are JSON already, without bytes or instants: they need no walk along their schemas. A refusal is
 * left to the SDK, which makes its exceptions.
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

/** Signature Version 4 for services to which every request is a POST of JSON to `/`. */
function createSigner(env: Env, service: string): Signer {
  const { accessKeyId, secretAccessKey, sessionToken } = roleCredentials(env);
  const region = setting(env, 'AWS_REGION');
  let signing: { readonly date: string; readonly key: Buffer } = { date: '', key: Buffer.alloc(0) };

  function keyOf(date: string): Buffer {
    if (signing.date !== date) {
      const secret: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
      signing = { date, key: [date, region, service, 'aws4_request'].reduce(hmac, secret) };
    }
    return signing.key;
  }

  return {
    async sign(request, { signingDate = new Date() } = {}) {
      const instant = new Date(signingDate).toISOString().replaceAll(/[-:]|\.\d+/g, '');
      const date = instant.slice(0, 8);
      const { headers } = request;
      headers['x-amz-date'] = instant;
      if (sessionToken !== undefined) headers['x-amz-security-token'] = sessionToken;
      const names = Object.keys(headers)
        .filter((name) => /^(?:content-type|host|x-amz-.*)$/.test(name))
        .toSorted();
      const signed = names.join(';');
      const lines = names.map((name) => `${name}:${headers[name]}`).join('\n');
      const canonical = `POST\n/\n\n${lines}\n\n${signed}\n${hash('sha256', request.body)}`;
      const scope = `${date}/${region}/${service}/aws4_request`;
      const said = `AWS4-HMAC-SHA256\n${instant}\n${scope}\n${hash('sha256', canonical)}`;
      const signature = hmac(keyOf(date), said).toString('hex');
      headers['authorization'] =
        `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
      return request;
    },
  };
}

function hmac(key: Buffer, content: string): Buffer {
  return createHmac('sha256', key).update(content).digest();
}
