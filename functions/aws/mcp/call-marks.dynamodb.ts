/** Marks of MCP calls: one item each, which moves between started, suspended, ended and done by conditional updates. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { Instant, Position, type EventId } from '#contract/ids.ts';
import { McpErrorType } from '#contract/mcp.ts';
import type { CallMark, CallMarks } from '#core/ports/call-marks.ts';
import { json, optional, parseRow } from '#aws/row.ts';
import { createTable, IS_NEW, type Change, type Key, type Row } from '#aws/table.ts';

/** A person may take days to act; after that the call begins anew, without the server's state. */
const KEPT_SECONDS = 30 * 24 * 3600;

const Suspension = z.object({
  requests: z.array(z.string()),
  state: z.string().nullable(),
  causes: z.array(z.string()),
  error: z.object({ type: McpErrorType, server: z.string(), message: z.string() }),
  sincePosition: Position,
});

const Left = z.object({ suspension: optional(json(Suspension)) });
const Mark = z.discriminatedUnion('status', [
  // The suspension stays beside the mark of the attempt that goes on from it.
  z.object({ ...Left.shape, status: z.literal('started'), startedAt: Instant }),
  z.object({ status: z.literal('suspended'), suspension: json(Suspension) }),
  z.object({ status: z.enum(['ended', 'done']) }),
]);

interface CallMarksOptions {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly now: () => Instant;
}

export function createCallMarks({ dynamodb, table: name, now }: CallMarksOptions): CallMarks {
  const table = createTable(dynamodb, name);

  function update(call: EventId, { set, ...change }: Change) {
    const expiresAt = Math.ceil(Date.parse(now()) / 1000) + KEPT_SECONDS;
    return table.update(markKey(call), { ...change, set: { ...set, expiresAt } });
  }

  return {
    async find(call) {
      const row = await table.get(markKey(call));
      if (row === null) return null;
      const mark = parseRow(Mark, row);
      return mark.status === 'suspended' ? { status: 'suspended', ...mark.suspension } : { status: mark.status };
    },

    async start(call, attempt, at) {
      const isSuspended = '#status = :suspended';
      const { status, row } = await update(call, {
        when: [`${IS_NEW} OR ${isSuspended}`],
        values: { suspended: 'suspended' },
        set: { status: 'started', startedAt: at, attempt },
        returns: 'old',
      });
      // When the answer to a write is lost, the client repeats the write, and the repeat finds the first one.
      return status === 'saved' || row?.['attempt'] === attempt ? begun(row) : found(row, at);
    },

    async end(call, attempt) {
      const isStarted = '#status = :started';
      const isOwn = 'attempt = :attempt';
      await update(call, {
        when: [isStarted, isOwn],
        values: { started: 'started', attempt },
        set: { status: 'ended' },
      });
    },

    async suspend(call, attempt, suspended) {
      const { sincePosition } = suspended;
      const isOwn = 'attempt = :attempt';
      // Marks of an earlier version have no such column.
      const isOfEarlier = '#status = :suspended AND (attribute_not_exists(sincePosition) OR sincePosition <> :since)';
      const { status } = await update(call, {
        when: [`${IS_NEW} OR ${isOwn} OR (${isOfEarlier})`],
        values: { suspended: 'suspended', attempt, since: sincePosition },
        set: { status: 'suspended', suspension: JSON.stringify(suspended), sincePosition, attempt },
      });
      return status === 'saved';
    },

    async done(call) {
      await update(call, { set: { status: 'done' } });
    },
  };
}

function markKey(call: EventId): Key {
  return { pk: `CALL#${call}`, sk: 'CALL' };
}

/** `before` is the row that the attempt found, and has at most a suspension to hand on. */
function begun(before: Row | null): CallMark {
  const suspension = before === null ? null : parseRow(Left, before).suspension;
  return suspension === null ? { status: 'started' } : { status: 'resumed', ...suspension };
}

function found(row: Row | null, at: Instant): CallMark {
  const mark = row === null ? null : parseRow(Mark, row);
  if (mark?.status === 'done') return { status: 'done' };
  if (mark?.status === 'ended') return { status: 'found ended' };
  return { status: 'found started', at: mark?.status === 'started' ? mark.startedAt : at };
}
