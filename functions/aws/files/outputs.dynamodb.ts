/** What a session's sandboxes wrote: a row for each path, and one that counts. They are in the session's partition. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { FileId, type SessionId } from '#contract/ids.ts';
import type { OutputRecords, StoredOutput } from '#core/ports/files.ts';
import { parseRow } from '#aws/row.ts';
import { sha256 } from '#aws/stamp.ts';
import { createTable, EXISTS, IS_NEW, type Key } from '#aws/table.ts';

const OUTPUT = 'output#';
const Last = z.object({ version: z.int().min(1), sha256: z.string() });
const Output = z.object({ path: z.string(), file: FileId, bytes: z.int() });
const Count = z.object({ files: z.int(), bytes: z.int() });

export function createOutputRecords(dynamodb: DynamoDBClient, name: string): OutputRecords {
  const table = createTable(dynamodb, name);
  return {
    async find(session, path) {
      const [last, count] = await Promise.all([table.get(pathKey(session, path)), table.get(countKey(session))]);
      const counted = count === null ? { files: 0, bytes: 0 } : parseRow(Count, count);
      return { last: last === null ? null : parseRow(Last, last), ...counted };
    },
    async note(session, path, { version, sha256: hash, bytes, file }) {
      const isNext = version === 1 ? IS_NEW : '#version = :before';
      const values = { before: version - 1 };
      // Of two processes one notes it, and the other's note says the same.
      await table.transact([
        table.checking({ pk: session, sk: 'session' }, { when: [EXISTS] }),
        table.updating(pathKey(session, path), {
          set: { version, sha256: hash, path, file, bytes },
          when: [isNext],
          values,
        }),
        table.updating(countKey(session), { add: { files: 1, bytes } }),
      ]);
    },
    async list(session) {
      const found: StoredOutput[] = [];
      const query = { where: 'pk = :pk AND begins_with(sk, :sk)', values: { pk: session, sk: OUTPUT } };
      for await (const row of table.rows(query)) found.push(parseRow(Output, row));
      return found.toSorted((one, other) => (one.path < other.path ? -1 : 1));
    },
  };
}

function pathKey(session: SessionId, path: string): Key {
  return { pk: session, sk: `${OUTPUT}${sha256(path)}` };
}

function countKey(session: SessionId): Key {
  return { pk: session, sk: 'outputs' };
}
