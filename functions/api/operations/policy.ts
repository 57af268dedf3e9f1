/** A workspace's policies; not in the contract, hence `x`. */
import * as z from 'zod';
import type { WorkspaceId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { CurrentPolicy, PolicyCreate, SavedPolicy, WorkspacePolicy } from '#contract/policy.ts';
import { NoQuery, VersionsQuery } from '#contract/queries.ts';
import type { GovernanceWorld } from '#core/policy/governance.ts';
import { policyHash } from '#core/policy/policy-set.ts';
import { savePolicy } from '#core/policy/save-policy.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/refusal.ts';
import { fitting } from '../carried-bytes.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { operation } from '../operation.ts';
import { NoBody, NoParams } from './nothing.ts';

const VersionCursor = z.strictObject({
  list: z.literal('policies'),
  order: z.literal('desc'),
  at: z.null(),
  version: z.int().min(2),
});

const retrieve = operation({
  method: 'GET',
  path: '/v1/x/policy',
  summary: 'Retrieve the policies that are in force',
  params: NoParams,
  query: NoQuery,
  body: NoBody,
  response: CurrentPolicy,
  handle: ({ world, workspace }) => current(world.governing, workspace),
});

async function current(
  { policies, sha256 }: GovernanceWorld,
  workspace: WorkspaceId,
): Promise<z.infer<typeof CurrentPolicy>> {
  const pointer = await policies.pointer(workspace);
  const saved = pointer === null ? null : await policies.version(workspace, pointer.version);
  if (saved !== null) return saved;
  const none = { policies: '', default: 'permit' as const };
  const hash = policyHash(none, sha256);
  return { type: 'policy', version: 0, mode: 'enforce', sha256: hash, created_at: null, ...none };
}

const save = operation({
  method: 'POST',
  path: '/v1/x/policy',
  summary: 'Save policies as a new version and put it into force; every instance follows within ten seconds',
  params: NoParams,
  query: NoQuery,
  body: PolicyCreate,
  response: SavedPolicy,
  handle: ({ world, workspace, body }) => savePolicy(world.governing, workspace, body),
});

const listVersions = operation({
  method: 'GET',
  path: '/v1/x/policy/versions',
  summary: 'List all versions of the policies, newest first',
  params: NoParams,
  query: VersionsQuery,
  body: NoBody,
  response: pageOf(WorkspacePolicy),
  async handle({ world, workspace, query }) {
    const below = query.page === undefined ? null : placeOf(query.page);
    if (isRefusal(below)) return below;
    const found = await world.governing.policies.versions(workspace, { below, limit: query.limit });
    const data = [...fitting(found.policies, (policy) => policy)];
    const last = data.at(-1);
    const more = found.more || data.length < found.policies.length;
    return { data, next_page: more && last !== undefined ? cursorOf(last.version) : null };
  },
});

function placeOf(page: string): number | RequestRefusal {
  const listing = { list: 'policies', order: 'desc', range: { from: null, to: null } } as const;
  const cursor = decodeCursor(VersionCursor, page, listing);
  return isRefusal(cursor) ? cursor : cursor.version;
}

function cursorOf(version: number): string {
  const cursor: z.infer<typeof VersionCursor> = { list: 'policies', order: 'desc', at: null, version };
  return encodeCursor(cursor);
}

export const policyOperations = [retrieve, save, listVersions];
