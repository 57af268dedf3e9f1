/** What happens to a consent, each change conditional on what the row must still say. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { ConnectId, Instant } from '#contract/ids.ts';
import type { ConnectionRecords } from '#core/ports/connection-records.ts';
import type { Saved } from '#core/ports/records.ts';
import { connectionKey, UNSETTLED, waitingText } from '#aws/connect/connection-row.ts';
import { createTable, EXISTS, type Change } from '#aws/table.ts';

type Changes = Pick<
  ConnectionRecords,
  'begin' | 'registerAnew' | 'take' | 'storing' | 'complete' | 'fail' | 'trouble' | 'resumed' | 'settled'
>;

const isPending = '#status = :pending';
const pending = { pending: 'pending' };
const noLogin = { attempt: null, nonce: null };
const unsettled = (id: ConnectId, since: Instant) => ({ listPk: UNSETTLED, listSk: `${since}#${id}` });
const settled = { storing: null, listPk: null, listSk: null };

export function createConnectionChanges(dynamodb: DynamoDBClient, name: string): Changes {
  const table = createTable(dynamodb, name);

  async function change(id: ConnectId, { values, ...more }: Change): Promise<Saved> {
    return (await table.update(connectionKey(id), { ...more, values: { ...pending, ...values } })).status;
  }

  return {
    begin: (id, attempt) =>
      change(id, { when: [isPending], set: { attempt: JSON.stringify(attempt), nonce: attempt.nonce } }),

    registerAnew(id) {
      const isFirst = 'attribute_not_exists(registeredAnew)';
      return change(id, { when: [isPending, isFirst], set: { registeredAnew: true } });
    },

    take(id, nonce) {
      const isThisLogin = 'nonce = :nonce';
      return change(id, { when: [isPending, isThisLogin], values: { nonce }, set: noLogin });
    },

    storing(id, storing) {
      const set = storing === null ? settled : { storing: JSON.stringify(storing), ...unsettled(id, storing.since) };
      return change(id, { when: [isPending], set });
    },

    complete(id, at) {
      const isCompleted = '#status = :completed';
      return change(id, {
        when: [`${isPending} OR ${isCompleted}`],
        values: { completed: 'completed' },
        set: { status: 'completed', error: null, ...noLogin },
        // The first instant stays.
        setOnce: { endedAt: at },
      });
    },

    fail: (id, error, at) =>
      change(id, {
        when: [isPending],
        set: { status: 'failed', error, endedAt: at, ...unsettled(id, at), ...noLogin },
      }),

    trouble: (id, error) => change(id, { when: [isPending], set: { error } }),

    async resumed(id, waiting) {
      await change(id, { when: [EXISTS], subtract: { waiting: new Set([waitingText(waiting)]) } });
    },

    async settled(id) {
      const isOver = '#status <> :pending';
      // One that joined meanwhile is still to be resumed.
      const isAwaitedByNone = 'attribute_not_exists(waiting)';
      await change(id, { when: [isOver, isAwaitedByNone], set: settled });
    },
  };
}
