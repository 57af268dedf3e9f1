/**
 * The capacity that each DynamoDB call consumes, as the engine measures it. Each call asks the engine for it, and a
 * function that did not ask gets its response without. Bytes are spliced and not parsed again, because a page of a log
 * may be a megabyte.
 */
import { crc32 } from 'node:zlib';
import { readInput, type Input } from '#infra/local/aws/json-service.ts';
import type { AwsRequest, AwsResponse } from '#infra/local/aws/service.ts';

/** Request units of an on-demand table, its indexes included. */
export interface Consumed {
  readonly readUnits: number;
  readonly writeUnits: number;
}

/** `consumed` is what DynamoDB bills for the call; it is absent where DynamoDB bills nothing. */
export type Measured = AwsResponse & { readonly consumed?: Consumed };

/** The operations that report capacity, and its kind. */
const KINDS: Readonly<Record<string, 'read' | 'write'>> = {
  BatchGetItem: 'read',
  GetItem: 'read',
  Query: 'read',
  Scan: 'read',
  TransactGetItems: 'read',
  BatchWriteItem: 'write',
  DeleteItem: 'write',
  PutItem: 'write',
  TransactWriteItems: 'write',
  UpdateItem: 'write',
};

const QUESTION = '"ReturnConsumedCapacity":';
const ANSWER = '"ConsumedCapacity":';

/** Passes a call on and measures it. A response without a known consumption is returned unchanged. */
export async function measured(
  request: AwsRequest,
  pass: (request: AwsRequest) => Promise<AwsResponse>,
): Promise<Measured> {
  const { service, operation, body } = request;
  const kind = service === 'dynamodb' ? KINDS[operation] : undefined;
  if (kind === undefined) return pass(request);
  const asksItself = body.includes(QUESTION);
  const response = await pass(asksItself ? request : { ...request, body: asking(body) });
  const answer = Buffer.from(response.body);
  if (response.status !== 200) {
    const writeUnits = refusedUnits(operation, body, answer);
    return writeUnits === 0 ? response : { ...response, consumed: { readUnits: 0, writeUnits } };
  }
  const told = split(answer);
  if (told === null) return response;
  const consumed = sum(kind, told.capacity);
  if (asksItself) return { ...response, consumed };
  const headers = { ...response.headers, 'x-amz-crc32': String(crc32(told.rest)) };
  return { ...response, headers, body: told.rest, consumed };
}

function asking(body: Buffer): Buffer {
  const first = body.indexOf('"');
  // A body without that field is an invalid call, which the engine refuses itself.
  if (first === -1) return body;
  return Buffer.concat([Buffer.from(`{${QUESTION}"TOTAL",`), body.subarray(first)]);
}

/**
 * The response without its capacity. The last such name is followed by JSON only if it is a field of the response
 * itself.
 */
function split(answer: Buffer): { readonly capacity: unknown; readonly rest: Buffer } | null {
  const at = answer.lastIndexOf(ANSWER);
  if (at === -1) return null;
  const { ConsumedCapacity: capacity, ...after } = parse(`{${answer.subarray(at).toString()}`) ?? {};
  if (capacity === undefined) return null;
  const rest = JSON.stringify(after).slice(1);
  const before = answer.subarray(0, rest === '}' && answer[at - 1] === COMMA ? at - 1 : at);
  return { capacity, rest: Buffer.concat([before, Buffer.from(rest)]) };
}

const COMMA = ','.charCodeAt(0);

function parse(text: string): Input | null {
  try {
    return JSON.parse(text);
  } catch {
    // The name is inside an item, so the response has no capacity of its own.
    return null;
  }
}

/** One entry, or one per table. A repeated transaction reports the units of reading its items. */
function sum(kind: 'read' | 'write', capacity: unknown): Consumed {
  const entries: readonly Input[] = Array.isArray(capacity) ? capacity : [Object(capacity)];
  const units = (entry: Input, field: string) => Number(entry[field] ?? 0);
  const ofKind = (one: 'read' | 'write', field: string) =>
    entries.reduce((total, entry) => {
      const isSplit = 'ReadCapacityUnits' in entry || 'WriteCapacityUnits' in entry;
      if (isSplit) return total + units(entry, field);
      return total + (one === kind ? units(entry, 'CapacityUnits') : 0);
    }, 0);
  return { readUnits: ofKind('read', 'ReadCapacityUnits'), writeUnits: ofKind('write', 'WriteCapacityUnits') };
}

/**
 * A write with a false condition is refused and still consumes one unit per started KB of the larger of the sent and
 * the stored item, twice that in a transaction. The refusal does not report it.
 */
function refusedUnits(operation: string, body: Buffer, answer: Buffer): number {
  const refusal = parse(answer.toString()) ?? {};
  const type = String(refusal['__type']);
  if (type.endsWith('ConditionalCheckFailedException')) {
    return unitsOf(readInput(body)['Item'], refusal['Item']);
  }
  if (operation !== 'TransactWriteItems' || !type.endsWith('TransactionCanceledException')) return 0;
  const reasons = listOf(refusal['CancellationReasons']);
  return listOf(readInput(body)['TransactItems']).reduce<number>((total, part, index) => {
    const [write] = Object.values(Object(part));
    return total + 2 * unitsOf(Object(write)['Item'], Object(reasons[index])['Item']);
  }, 0);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function unitsOf(sent: unknown, stored: unknown): number {
  return Math.max(1, Math.ceil(Math.max(itemBytes(sent), itemBytes(stored)) / 1024));
}

/** Names and values count. A list or map counts 3 bytes and 1 per element in addition. */
export function itemBytes(item: unknown): number {
  return Object.entries(Object(item)).reduce(
    (bytes, [name, value]) => bytes + Buffer.byteLength(name) + valueBytes(value),
    0,
  );
}

function valueBytes(value: unknown): number {
  const [[type, held] = ['NULL', true]] = Object.entries(Object(value));
  switch (type) {
    case 'S':
      return Buffer.byteLength(String(held));
    case 'N':
      return numberBytes(String(held));
    case 'B':
      return Buffer.byteLength(String(held), 'base64');
    case 'SS':
    case 'NS':
    case 'BS':
      return listOf(held).reduce<number>((bytes, one) => bytes + valueBytes({ [type.slice(0, 1)]: one }), 0);
    case 'L':
      return listOf(held).reduce<number>((bytes, one) => bytes + 1 + valueBytes(one), 3);
    case 'M':
      return 3 + Object.keys(Object(held)).length + itemBytes(held);
    default:
      return 1;
  }
}

/** A byte for two digits and one for the rest. */
function numberBytes(text: string): number {
  const digits = text
    .replace(/e.*$/i, '')
    .replace(/[^0-9]/g, '')
    .replace(/^0+|0+$/g, '').length;
  return Math.ceil(digits / 2) + 1;
}
