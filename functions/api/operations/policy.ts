/** A workspace's policies; not in the contract, hence `x`. */
import * as z from 'zod';
import type { WorkspaceId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { CurrentPolicy, PolicyCreate, SavedPolicy, WorkspacePolicy } from '#contract/policy.ts';
import { VersionsQuery } from '#contract/queries.ts';
import { policyHash } from '#core/policy/policy-set.ts';
import { savePolicy } from '#core/policy/save-policy.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { keyedPages } from '../cursor.ts';
import type { ApiWorld } from '../api-world.ts';
import { operation } from '../operation.ts';

const versionPages = keyedPages('desc', z.int().min(2));

const retrieve = operation({
  route: 'GET /v1/x/policy',
  summary: 'Retrieve the policies that are in force',
  response: CurrentPolicy,
  handle: ({ world, workspace }) => current(world, workspace),
});

async function current(
  { policyRecords, sha256 }: ApiWorld,
  workspace: WorkspaceId,
): Promise<z.infer<typeof CurrentPolicy>> {
  const pointer = await policyRecords.pointer(workspace);
  const saved = pointer === null ? null : await policyRecords.version(workspace, pointer.version);
  if (saved !== null) return saved;
  const none = { policies: '', default: 'permit' as const };
  const hash = policyHash(none, sha256);
  return { type: 'policy', version: 0, mode: 'enforce', sha256: hash, created_at: null, ...none };
}

const save = operation({
  route: 'POST /v1/x/policy',
  summary: 'Save policies as a new version and put it into force; every instance follows within ten seconds',
  body: PolicyCreate,
  response: SavedPolicy,
  handle: ({ world, workspace, apiKey, body }) => savePolicy(world, { workspace, apiKey }, body),
});

const listVersions = operation({
  route: 'GET /v1/x/policy/versions',
  summary: 'List all versions of the policies, newest first',
  query: VersionsQuery,
  response: pageOf(WorkspacePolicy),
  async handle({ world, workspace, query }) {
    const below = versionPages.follows('policies', query.page);
    if (isRefusal(below)) return below;
    const found = await world.policyRecords.versions(workspace, { below, limit: query.limit });
    return versionPages.page('policies', { rows: found.policies, more: found.more }, (policy) => policy.version);
  },
});

export const policyOperations = [retrieve, save, listVersions];
