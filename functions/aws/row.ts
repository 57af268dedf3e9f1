/** Rows as their readers see them: parsed like everything that comes from outside, and the keys of the index `list`. */
import * as z from 'zod';
import { Instant, type WorkspaceId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Place } from '#core/ports/records.ts';
import type { Key, Row, Table } from '#aws/table.ts';

export type Listed =
  | 'agent'
  | 'environment'
  | 'session'
  | 'thread'
  | 'vault'
  | 'credential'
  | 'file'
  | 'memory_store'
  | 'skill';

/** `scope` has what belongs to a session, beside `list`, which has what belongs to a workspace or a vault. */
export type ListIndex = 'list' | 'scope';

/** Rows of an owner, which is a workspace or something in one, by creation: `<owner>#<kind>`, `<created_at>#<id>`. */
export function listKeys(owner: string, kind: Listed, place: Place, index: ListIndex = 'list') {
  return { [`${index}Pk`]: `${owner}#${kind}`, [`${index}Sk`]: `${place.createdAt}#${place.id}` };
}

export function listedPlace(row: Row, index: ListIndex = 'list'): Place {
  const [createdAt = '', id = ''] = textOf(row, `${index}Sk`).split('#');
  return { createdAt, id };
}

/** A column of JSON text. */
export function json<Schema extends z.ZodType>(schema: Schema) {
  return z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);
}

/** A column that may be absent, which is null. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullable().default(null);
}

export function parseRow<Schema extends z.ZodType>(schema: Schema, row: Row): z.infer<Schema> {
  return readable(row, () => schema.parse(row));
}

/** The value of a column of JSON text. */
export function bodyOf<Schema extends z.ZodType>(row: Row, column: string, schema: Schema): z.infer<Schema> {
  return readable(row, () => json(schema).parse(row[column]));
}

function readable<Value>({ pk, sk }: Row, parse: () => Value): Value {
  try {
    return parse();
  } catch (cause) {
    throw new Fault('stored_data_invalid', `the record ${pk} ${sk} does not have its shape`, {
      // A zod or JSON error quotes the value it refuses, which may be a system prompt.
      cause: cause instanceof Error ? cause.name : 'unknown',
    });
  }
}

export function textOf(row: Row, name: string): string {
  const value = row[name];
  if (typeof value !== 'string') throw new Fault('stored_data_invalid', `the record ${row['pk']} lacks its ${name}`);
  return value;
}

export function isOf(row: Row | null, workspace: WorkspaceId): row is Row {
  return row?.['workspace'] === workspace;
}

/** A condition: the row is not archived. */
export const IS_ACTIVE = 'attribute_not_exists(archivedAt)';

/** The mark of an archived row is a column beside its body, so that it is lost to no change of the body. */
export function archivedAtOf(row: Row): Instant | null {
  return parseRow(Archivable, row).archivedAt;
}

const Archivable = z.object({ archivedAt: optional(Instant) });

/** The row with its first mark, or null when the workspace has no such row. */
export async function archiveRow(
  table: Table,
  key: Key,
  { workspace, at }: { readonly workspace: WorkspaceId; readonly at: Instant },
): Promise<Row | null> {
  const isOurs = 'workspace = :workspace';
  const archived = await table.update(key, {
    when: [isOurs],
    values: { workspace },
    setOnce: { archivedAt: at },
    returns: 'new',
  });
  return archived.status === 'saved' ? archived.row : null;
}
