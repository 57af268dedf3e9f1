/** The responses that API Gateway makes itself, with the texts that the template defines. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { GatewayResponsePart } from '../template/parts.ts';

const REFUSALS = {
  noRoute: { type: 'MISSING_AUTHENTICATION_TOKEN', status: 403, message: 'Missing Authentication Token' },
  tooLong: { type: 'REQUEST_TOO_LARGE', status: 413, message: 'Request Too Long' },
  throttled: { type: 'THROTTLED', status: 429, message: 'Too Many Requests' },
  failed: { type: 'DEFAULT_5XX', status: 502, message: 'Internal server error' },
  timedOut: { type: 'INTEGRATION_TIMEOUT', status: 504, message: 'Endpoint request timed out' },
} as const;
export type Refusal = keyof typeof REFUSALS;

const PLAIN_BODY = '{"message":$context.error.messageString}';

export type SendRefusal = (response: ServerResponse, refusal: Refusal) => void;

/** A response type that the template leaves alone falls back to the default of its class, as in API Gateway. */
export function createRefusals(parts: readonly GatewayResponsePart[]): SendRefusal {
  const byType = new Map(parts.map((part) => [part.responseType, part]));
  return (response, refusal) => {
    if (response.headersSent || response.destroyed) return;
    const { type, status, message } = REFUSALS[refusal];
    const part = byType.get(type) ?? byType.get(status < 500 ? 'DEFAULT_4XX' : 'DEFAULT_5XX');
    const variables: Readonly<Record<string, string>> = {
      'context.error.message': message,
      'context.error.messageString': JSON.stringify(message),
      'context.error.responseType': type,
      'context.requestId': randomUUID(),
    };
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    for (const [name, value] of Object.entries(part?.headers ?? {})) response.setHeader(name, mapped(value, variables));
    response.setHeader('content-type', 'application/json');
    response.statusCode = part?.status ?? status;
    response.end(filled(part?.body ?? PLAIN_BODY, variables));
  };
}

function mapped(value: string, variables: Readonly<Record<string, string>>): string {
  return /^'.*'$/.test(value) ? value.slice(1, -1) : (variables[value] ?? '');
}

function filled(body: string, variables: Readonly<Record<string, string>>): string {
  return body.replaceAll(/\$(context(?:\.\w+)+)/g, (_all, name: string) => variables[name] ?? '');
}
