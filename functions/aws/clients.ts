/**
 * Clients of AWS that take little processor time, which Lambda bills with every call: the SDK's of DynamoDB, without the work
 * that changes nothing here, and one for single operations of other services, for which an SDK's client would be a tenth of a
 * function's bundle.
 */
import * as http from 'node:http';
import * as https from 'node:https';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import aws4 from 'aws4';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';

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

interface Post {
  /** @default '/' */
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

export interface Posted {
  readonly status: number;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  readonly text: string;
}

/** Node's own client takes a third of the processor time of `fetch`, and its connections stay open between invocations. */
const SCHEMES = {
  'http:': { request: http.request, agent: new http.Agent({ keepAlive: true }) },
  'https:': { request: https.request, agent: new https.Agent({ keepAlive: true }) },
} as const;

/** Rejects when no answer came; any answer is a value. */
export function createSignedPost(env: Env, service: 'lambda' | 'states'): (post: Post) => Promise<Posted> {
  const region = setting(env, 'AWS_REGION');
  const { protocol, hostname, port } = new URL(serviceEndpoint(env, service, region));
  const { request, agent } = SCHEMES[protocol === 'http:' ? 'http:' : 'https:'];
  const credentials = roleCredentials(env);

  return async function post({ path = '/', headers, body, signal }): Promise<Posted> {
    const place = { hostname, port, path, method: 'POST', body, headers };
    const { headers: signed = {} } = aws4.sign({ ...place, service, region, doNotEncodePath: true }, credentials);
    for (;;) {
      const sent = request({ hostname, port, path, method: 'POST', headers: signed, agent, signal });
      try {
        const response = await answerTo(sent.end(body));
        return { status: response.statusCode ?? 0, headers: response.headers, text: await text(response) };
      } catch (error) {
        // The other end closed the connection while it was idle. A new one tells whether the service is there.
        const isClosed = sent.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
        if (!isClosed) throw error;
      }
    }
  };
}

function answerTo(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => void request.once('response', resolve).once('error', reject));
}
