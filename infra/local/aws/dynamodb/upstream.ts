import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Socket } from 'node:net';
import type { AwsRequest, AwsResponse } from '../service.ts';
import { bodyOf } from '../../loopback.ts';
import { AwsFault } from '../wire.ts';
import type { Engine } from './engine.ts';

/** A DynamoDB to which requests are passed on. */
export interface Upstream {
  send(headers: AwsRequest['headers'], body: Buffer): Promise<AwsResponse>;
  call(operation: string, input: unknown): Promise<AwsResponse>;
  close(): void;
}

/** Headers that mean something to DynamoDB; the others describe the connection to this process. */
const PASSED_ON = ['content-type', 'x-amz-target', 'x-amz-date', 'authorization', 'x-amz-content-sha256'];
const PASSED_BACK = ['content-type', 'x-amzn-requestid', 'x-amz-crc32'];

const ACCESS_KEY = process.env['AWS_ACCESS_KEY_ID'] ?? 'local';

/** Where a DynamoDB is: the agent makes the connections. */
export interface Place {
  readonly endpoint: string;
  readonly agent: HttpAgent;
}

export function placeAt(endpoint: string): Place {
  const agent = endpoint.startsWith('https:')
    ? new HttpsAgent({ keepAlive: true })
    : new HttpAgent({ keepAlive: true });
  return { endpoint, agent };
}

/** The engine makes one write after another, so more connections make nothing faster, and each takes time to be handed over. */
const MAX_CONNECTIONS = 16;

/** The engine has no address: the name is one that HTTP demands. */
export function placeOf(engine: Pick<Engine, 'connect'>): Place {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  agent.createConnection = (_options, made) => {
    // The agent reads the connection only where there is no error.
    engine.connect().then(
      (socket) => made?.(null, socket),
      (error: Error) => made?.(error, new Socket()),
    );
    return null;
  };
  return { endpoint: 'http://dynamodb', agent };
}

export function createUpstream({ endpoint, agent }: Place): Upstream {
  const secure = endpoint.startsWith('https:');
  const request = secure ? httpsRequest : httpRequest;
  const send: Upstream['send'] = (headers, body) =>
    new Promise((answered, failed) => {
      const passed: Record<string, string> = { ...pick(headers, PASSED_ON), 'content-length': String(body.length) };
      // DynamoDB Local keeps a separate database per access key id, so all requests are passed on under a single one.
      passed['authorization'] =
        passed['authorization']?.replace(/^(\S+) Credential=[^/]+\//, `$1 Credential=${ACCESS_KEY}/`) ?? '';
      // The SDK retries a 500, which is also what DynamoDB answers when a node of it goes away.
      const lost = (): void => failed(new AwsFault('InternalServerError', 'the DynamoDB engine did not answer', 500));
      request(endpoint, { agent, method: 'POST', path: '/', headers: passed }, async (incoming) => {
        const content = await bodyOf(incoming).catch(lost);
        if (content === undefined) return;
        answered({ status: incoming.statusCode ?? 500, headers: pick(incoming.headers, PASSED_BACK), body: content });
      })
        .on('error', lost)
        .end(body);
    });
  return {
    send,
    call: (operation, input) => send(ownHeaders(operation), Buffer.from(JSON.stringify(input))),
    close: () => agent.destroy(),
  };
}

function pick(headers: AwsRequest['headers'], names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]])),
  );
}

function ownHeaders(operation: string): AwsRequest['headers'] {
  return {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
    'x-amz-date': '20260101T000000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
  };
}
