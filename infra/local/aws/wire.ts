/** How each AWS protocol writes results and errors. */
import { randomUUID } from 'node:crypto';
import type { AwsResponse } from './service.ts';

/** An error that a caller of AWS sees: its code decides what the SDK throws. */
export class AwsFault extends Error {
  readonly code: string;
  readonly status: number;
  /** What a JSON protocol's error says besides its message. */
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, status = 400, fields: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'AwsFault';
    this.code = code;
    this.status = status;
    this.fields = fields;
  }
}

/** What the pinned SDK clients expect; a service that is not listed speaks JSON 1.1. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  dynamodb: 'application/x-amz-json-1.0',
  states: 'application/x-amz-json-1.0',
  lambda: 'application/json',
  s3: 'application/xml',
};

function headersOf(service: string): Readonly<Record<string, string>> {
  const requestId = service === 's3' ? 'x-amz-request-id' : 'x-amzn-requestid';
  return { 'content-type': CONTENT_TYPES[service] ?? 'application/x-amz-json-1.1', [requestId]: randomUUID() };
}

export function jsonAnswer(service: string, output: unknown): AwsResponse {
  return { status: 200, headers: headersOf(service), body: JSON.stringify(output) };
}

export function faultAnswer(service: string, { code, message, status, fields }: AwsFault): AwsResponse {
  const headers = headersOf(service);
  if (service === 's3') {
    return { status, headers, body: `<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>` };
  }
  if (service === 'lambda') {
    return { status, headers: { ...headers, 'x-amzn-errortype': code }, body: JSON.stringify({ message }) };
  }
  return { status, headers, body: JSON.stringify({ __type: code, message, ...fields }) };
}

/** The status with which a service refuses a caller: JSON protocols always answer 400. */
export function deniedFault(service: string, message: string): AwsFault {
  if (service === 's3') return new AwsFault('AccessDenied', message, 403);
  return new AwsFault('AccessDeniedException', message, service === 'lambda' ? 403 : 400);
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
