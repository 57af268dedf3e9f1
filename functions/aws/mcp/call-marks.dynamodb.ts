/** Marks of MCP calls: one item each, which moves between started, suspended and done by conditional updates. */
import {
  ConditionalCheckFailedException,
  UpdateItemCommand,
  type DynamoDBClient,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import type { EventId, Instant } from '#contract/ids.ts';
import { McpErrorType } from '#contract/mcp.ts';
import { Fault } from '#core/ports/errors.ts';
import type { CallMark, CallMarks, MarkedSuspension } from '#core/ports/call-marks.ts';
import { readRow } from '#aws/table.ts';
import { recordsUnavailable, textOf, type Item } from '#aws/row.ts';

/** A person may take days to act; after that the call begins without what the server wanted to be reminded of. */
const KEPT_SECONDS = 30 * 24 * 3600;

const Status = z.enum(['started', 'suspended', 'done']);

const Kept = z.object({
  requests: z.array(z.string()),
  state: z.string().nullable(),
  causes: z.array(z.string()),
  error: z.object({ type: McpErrorType, server: z.string(), message: z.string() }),
  since: z.int(),
});

export interface CallMarksOptions {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly now: () => Instant;
  /** Names an attempt; unique. */
  readonly newName: () => string;
}

export function createCallMarks({ dynamodb, table, now, newName }: CallMarksOptions): CallMarks {
  type Change = Pick<
    UpdateItemCommandInput,
    'ConditionExpression' | 'ExpressionAttributeValues' | 'ReturnValues' | 'ReturnValuesOnConditionCheckFailure'
  >;

  function update(call: EventId, set: string, { ExpressionAttributeValues, ...change }: Change) {
    const expires = Math.ceil(Date.parse(now()) / 1000) + KEPT_SECONDS;
    return dynamodb.send(
      new UpdateItemCommand({
        TableName: table,
        Key: markKey(call),
        UpdateExpression: `SET #status = :status, expiresAt = :expires${set}`,
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ...ExpressionAttributeValues, ':expires': { N: String(expires) } },
        ...change,
      }),
    );
  }

  return {
    async find(call) {
      const item = await readRow(dynamodb, table, markKey(call));
      if (item === undefined) return null;
      const status = Status.parse(textOf(item, 'status'));
      return status === 'suspended' ? { status, ...suspendedIn(textOf(item, 'suspension')) } : { status };
    },

    async start(call, at) {
      const attempt = newName();
      const isNew = 'attribute_not_exists(pk)';
      const isSuspended = '#status = :suspended';
      try {
        const { Attributes } = await update(call, ', startedAt = :at, attempt = :attempt', {
          ConditionExpression: [isNew, isSuspended].join(' OR '),
          ExpressionAttributeValues: {
            ':status': { S: 'started' },
            ':suspended': { S: 'suspended' },
            ':at': { S: at },
            ':attempt': { S: attempt },
          },
          ReturnValues: 'ALL_OLD',
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        });
        return begun(Attributes);
      } catch (cause) {
        if (!(cause instanceof ConditionalCheckFailedException)) return recordsUnavailable(cause);
        // The client repeats a write whose answer was lost, and the repeat finds the first one.
        return cause.Item?.['attempt']?.S === attempt ? begun(cause.Item) : found(cause.Item);
      }
    },

    async suspend(call, suspended) {
      const values = { ':status': { S: 'suspended' }, ':suspension': { S: JSON.stringify(suspended) } };
      await update(call, ', suspension = :suspension', { ExpressionAttributeValues: values }).catch(recordsUnavailable);
    },

    async done(call) {
      await update(call, '', { ExpressionAttributeValues: { ':status': { S: 'done' } } }).catch(recordsUnavailable);
    },
  };
}

function markKey(call: EventId): Item {
  return { pk: { S: `CALL#${call}` }, sk: { S: 'CALL' } };
}

/** The suspension stays beside the mark of the attempt that goes on from it. */
function begun(item: Item | undefined): CallMark {
  const suspension = item?.['suspension']?.S;
  return suspension === undefined ? { status: 'started' } : { status: 'resumed', ...suspendedIn(suspension) };
}

function found(item: Item | undefined): CallMark {
  if (item?.['status']?.S === 'done') return { status: 'done' };
  return { status: 'found started', at: item?.['startedAt']?.S ?? '' };
}

function suspendedIn(text: string): MarkedSuspension {
  try {
    return Kept.parse(JSON.parse(text));
  } catch (cause) {
    throw new Fault('stored_data_invalid', 'the mark of a call does not have its shape', {
      // Such an error quotes what it refuses, which is what a server said.
      cause: cause instanceof Error ? cause.name : 'unknown',
    });
  }
}
