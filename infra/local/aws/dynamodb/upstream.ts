import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { AwsRequest, AwsResponse } from '../service.ts';
import { AwsFault } from '../wire.ts';

/** A DynamoDB endpoint to which requests are passed on. */
export interface Upstream {
  send(headers: AwsRequest['headers'], body: Buffer): Promise<AwsResponse>;
  call(operation: string, input: unknown): Promise<AwsResponse>;
  close(): void;
}

/** Headers that mean something to DynamoDB; the others describe the connection to this process. */
const PASSED_ON = ['content-type', 'x-amz-target', 'x-amz-date', 'authorization', 'x-amz-content-sha256'] as const;
const PASSED_BACK = ['content-type', 'x-amzn-requestid', 'x-amz-crc32'] as const;

/**
 * DynamoDB Local keeps a separate database per access key id, and every worker here has one of its own, so all requests
 * are passed on under a single one.
 */
const ACCESS_KEY = process.env['AWS_ACCESS_KEY_ID'] ?? 'local';

export function createUpstream(endpoint: () => string): Upstream {
  const secure = endpoint().startsWith('https:');
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const request = secure ? httpsRequest : httpRequest;
  const send: Upstream['send'] = (headers, body) =>
    new Promise((answered, failed) => {
      const passed: Record<string, string | number> = { 'content-length': body.length };
      for (const name of PASSED_ON) {
        const value = headers[name];
        if (value !== undefined) passed[name] = name === 'authorization' ? underOneKey(String(value)) : String(value);
      }
      const outgoing = request(endpoint(), { agent, method: 'POST', path: '/', headers: passed }, (incoming) =>
        collect(incoming, answered, failed),
      );
      // The SDK retries a 500, which is also what DynamoDB answers when a node of it goes away.
      outgoing.on('error', () =>
        failed(new AwsFault('InternalServerError', 'the DynamoDB engine did not answer', 500)),
      );
      outgoing.end(body);
    });
  return {
    send,
    call: (operation, input) => send(ownHeaders(operation), Buffer.from(JSON.stringify(input))),
    close: () => agent.destroy(),
  };
}

function collect(
  incoming: IncomingMessage,
  answered: (response: AwsResponse) => void,
  failed: (error: Error) => void,
): void {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('error', () => failed(new AwsFault('InternalServerError', 'the DynamoDB engine went away', 500)));
  incoming.on('end', () => {
    const headers: Record<string, string> = {};
    for (const name of PASSED_BACK) {
      const value = incoming.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    answered({ status: incoming.statusCode ?? 500, headers, body: Buffer.concat(chunks) });
  });
}

function underOneKey(authorization: string): string {
  return authorization.replace(/Credential=[^/]+\//, `Credential=${ACCESS_KEY}/`);
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
