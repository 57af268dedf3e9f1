/** Items of the records and vault tables: attributes in and out, and the keys of the list index. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type * as z from 'zod';
import type { WorkspaceId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Place } from '#core/ports/records.ts';

export type Item = Record<string, AttributeValue>;

export type Listed = 'agent' | 'environment' | 'session' | 'vault' | 'credential';

/** Rows of an owner, which is a workspace or something in one, by creation: `<owner>#<kind>`, `<created_at>#<id>`. */
export function listKeys(owner: string, kind: Listed, place: Place): Item {
  return { listPk: { S: `${owner}#${kind}` }, listSk: { S: `${place.createdAt}#${place.id}` } };
}

export function placeOf(item: Item): Place {
  const [createdAt = '', id = ''] = textOf(item, 'listSk').split('#');
  return { createdAt, id };
}

export function bodyOf<Schema extends z.ZodType>(item: Item, name: string, schema: Schema): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(textOf(item, name)));
  } catch (cause) {
    throw new Fault('stored_data_invalid', `the record ${item['pk']?.S} ${item['sk']?.S} does not have its shape`, {
      // A zod or JSON error quotes the value it refuses, which may be a system prompt.
      cause: cause instanceof Error ? cause.name : 'unknown',
    });
  }
}

export function textOf(item: Item, name: string): string {
  const value = item[name]?.S;
  if (value === undefined) throw new Fault('stored_data_invalid', `the record ${item['pk']?.S} lacks its ${name}`);
  return value;
}

export function isOf(item: Item | undefined, workspace: WorkspaceId): item is Item {
  return item?.['workspace']?.S === workspace;
}

export function recordsUnavailable(cause: unknown): never {
  throw new Fault('records_unavailable', 'the records did not answer', { cause });
}
