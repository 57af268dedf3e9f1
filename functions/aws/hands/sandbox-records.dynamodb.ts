/** The record of a session's sandbox, and the marks of the calls sent to it. */
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { Instant, type EventId, type SessionId } from '#contract/ids.ts';
import { PackageList } from '#contract/packages.ts';
import { Fault } from '#core/ports/errors.ts';
import type { SandboxRecord, SandboxRecords } from '#core/ports/sandboxes.ts';

type Item = Record<string, AttributeValue>;

/** A mark outlives every retry of its call: an execution's last retry comes within a day. */
const MARK_TTL_SECONDS = 7 * 86_400;

const packages = z.preprocess((text) => (typeof text === 'string' ? JSON.parse(text) : null), PackageList.nullable());
const common = {
  generation: z.coerce.number().int().min(1),
  token: z.string().min(1),
  lastUsedAt: Instant,
  packages,
  archive: z.string().nullable().default(null),
};
const Stored = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('planned'),
    generation: z.coerce.number().pipe(z.literal(0)),
    packages: packages.pipe(PackageList),
  }),
  z.object({ ...common, status: z.literal('starting') }),
  z.object({ ...common, status: z.literal('lost') }),
  z.object({ ...common, status: z.literal('failed'), reason: z.string(), failedAt: Instant }),
  z.object({ ...common, status: z.literal('ready'), task: z.string(), address: z.string(), readyAt: Instant }),
]);

const keyOf = (session: SessionId) => ({ pk: { S: session }, sk: { S: 'sandbox' } });

/** The item with which a session that has packages begins; one without any has none until it needs a sandbox. */
export function plannedSandbox(session: SessionId, list: PackageList): Item {
  return {
    ...keyOf(session),
    generation: { N: '0' },
    status: { S: 'planned' },
    packages: { S: JSON.stringify(list) },
  };
}

export function createSandboxRecords(dynamodb: DynamoDBClient, table: string): SandboxRecords {
  async function find(session: SessionId): Promise<SandboxRecord | null> {
    const { Item } = await dynamodb
      .send(new GetItemCommand({ TableName: table, Key: keyOf(session), ConsistentRead: true }))
      .catch(unavailable);
    return Item === undefined ? null : recordOf(Item);
  }

  /** Writes unless the generation has moved on; either way the record that stands then. */
  async function update(
    session: SessionId,
    expression: string,
    values: Record<string, AttributeValue>,
    condition: string,
  ) {
    try {
      const { Attributes } = await dynamodb.send(
        new UpdateItemCommand({
          TableName: table,
          Key: keyOf(session),
          UpdateExpression: expression,
          ConditionExpression: condition,
          ExpressionAttributeNames: names(expression, condition),
          ExpressionAttributeValues: values,
          ReturnValues: 'ALL_NEW',
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return Attributes === undefined ? null : recordOf(Attributes);
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) return unavailable(cause);
      return cause.Item === undefined ? null : recordOf(cause.Item);
    }
  }

  return {
    find,
    async reserve(session, previous, { token, archive, at }) {
      const values: Record<string, AttributeValue> = {
        ':next': { N: String(previous + 1) },
        ':previous': { N: String(previous) },
        ':token': { S: token },
        ':at': { S: at },
        ':starting': { S: 'starting' },
        ':archive': archive === null ? { NULL: true } : { S: archive },
      };
      const record = await update(
        session,
        `SET #generation = :next, #status = :starting, #token = :token, #lastUsedAt = :at, #archive = :archive
         REMOVE #task, #address, #readyAt, #reason, #failedAt`,
        values,
        previous === 0 ? 'attribute_not_exists(#generation) OR #generation = :previous' : '#generation = :previous',
      );
      return present(record, session);
    },
    async ready(session, generation, place) {
      const record = await update(
        session,
        'SET #status = :ready, #task = :task, #address = :address, #readyAt = :at, #lastUsedAt = :at',
        {
          ':ready': { S: 'ready' },
          ':starting': { S: 'starting' },
          ':task': { S: place.task },
          ':address': { S: place.address },
          ':at': { S: place.at },
          ':generation': { N: String(generation) },
        },
        '#generation = :generation AND #status = :starting',
      );
      return present(record, session);
    },
    async lost(session, generation) {
      const values = { ':lost': { S: 'lost' }, ':generation': { N: String(generation) } };
      await update(session, 'SET #status = :lost', values, '#generation = :generation');
    },
    async failed(session, generation, { reason, at }) {
      const values = {
        ':failed': { S: 'failed' },
        ':starting': { S: 'starting' },
        ':reason': { S: reason },
        ':at': { S: at },
        ':generation': { N: String(generation) },
      };
      const set = 'SET #status = :failed, #reason = :reason, #failedAt = :at';
      return present(await update(session, set, values, '#generation = :generation AND #status = :starting'), session);
    },
    async send(session, call, generation, at) {
      const used = update(session, 'SET #lastUsedAt = :at', { ':at': { S: at } }, 'attribute_exists(#generation)');
      const [record, mark] = await Promise.all([used, markCall(session, call, generation, at)]);
      return { record, ...mark };
    },
  };

  async function markCall(session: SessionId, call: EventId, generation: number, at: string) {
    const expiresAt = Math.floor(Date.parse(at) / 1000) + MARK_TTL_SECONDS;
    try {
      await dynamodb.send(
        new PutItemCommand({
          TableName: table,
          Item: {
            pk: { S: session },
            sk: { S: `call#${call}` },
            generation: { N: String(generation) },
            expiresAt: { N: String(expiresAt) },
          },
          ConditionExpression: 'attribute_not_exists(pk)',
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return { sentTo: generation, again: false };
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) return unavailable(cause);
      return { sentTo: Number(cause.Item?.['generation']?.N ?? Number.NaN), again: true };
    }
  }
}

function recordOf(item: Item): SandboxRecord {
  const plain = Object.fromEntries(Object.entries(item).map(([name, value]) => [name, value.S ?? value.N]));
  try {
    return Stored.parse(plain);
  } catch (cause) {
    const message = `the sandbox record ${item['pk']?.S} does not have its shape`;
    throw new Fault('stored_data_invalid', message, { cause: cause instanceof Error ? cause.name : 'unknown' });
  }
}

function present(record: SandboxRecord | null, session: SessionId): SandboxRecord {
  if (record === null) throw new Fault('stored_data_invalid', `the sandbox record of ${session} vanished`);
  return record;
}

/** `#name` placeholders for the attributes that an expression mentions: `status` and `token` are reserved words. */
function names(...expressions: readonly string[]): Record<string, string> {
  const mentioned = expressions.join(' ').match(/#\w+/g) ?? [];
  return Object.fromEntries(mentioned.map((placeholder) => [placeholder, placeholder.slice(1)]));
}

function unavailable(cause: unknown): never {
  throw new Fault('records_unavailable', 'the sandbox records did not answer', { cause });
}
