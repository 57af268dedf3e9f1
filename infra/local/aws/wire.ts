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

type Protocol = 'json-1.0' | 'json-1.1' | 'rest-json' | 'rest-xml';

/** What the pinned SDK clients send; a service that is not listed answers as JSON 1.1. */
const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  dynamodb: 'json-1.0',
  states: 'json-1.0',
  ecs: 'json-1.1',
  secretsmanager: 'json-1.1',
  kms: 'json-1.1',
  lambda: 'rest-json',
  s3: 'rest-xml',
};

export function jsonAnswer(service: string, output: unknown): AwsResponse {
  return { status: 200, headers: headersOf(protocolOf(service)), body: JSON.stringify(output) };
}

export function faultAnswer(service: string, fault: AwsFault): AwsResponse {
  const protocol = protocolOf(service);
  const headers = headersOf(protocol);
  const { code, message, status } = fault;
  switch (protocol) {
    case 'json-1.0':
    case 'json-1.1':
      return { status, headers, body: JSON.stringify({ __type: code, message, ...fault.fields }) };
    case 'rest-json':
      return { status, headers: { ...headers, 'x-amzn-errortype': code }, body: JSON.stringify({ message }) };
    case 'rest-xml':
      return { status, headers, body: `<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>` };
    default:
      return protocol satisfies never;
  }
}

/** The status with which a service refuses a caller: JSON protocols always answer 400. */
export function deniedFault(service: string, message: string): AwsFault {
  const protocol = protocolOf(service);
  if (protocol === 'rest-xml') return new AwsFault('AccessDenied', message, 403);
  return new AwsFault('AccessDeniedException', message, protocol === 'rest-json' ? 403 : 400);
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function protocolOf(service: string): Protocol {
  return PROTOCOLS[service] ?? 'json-1.1';
}

function headersOf(protocol: Protocol): Readonly<Record<string, string>> {
  switch (protocol) {
    case 'json-1.0':
      return { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': randomUUID() };
    case 'json-1.1':
      return { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() };
    case 'rest-json':
      return { 'content-type': 'application/json', 'x-amzn-requestid': randomUUID() };
    case 'rest-xml':
      return { 'content-type': 'application/xml', 'x-amz-request-id': randomUUID() };
    default:
      return protocol satisfies never;
  }
}
