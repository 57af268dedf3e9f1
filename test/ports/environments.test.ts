import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Environment } from '#contract/environments.ts';
import { EnvironmentId, WorkspaceId } from '#contract/ids.ts';
import { resolveEnvironment } from '#core/environments/resolve.ts';
import type { EnvironmentRecords } from '#core/ports/records.ts';
import { createEnvironmentRecords } from '#aws/records/environments.dynamodb.ts';
import { newToken } from '#aws/stamp.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_1');
const STRANGER = WorkspaceId.parse('wrkspc_2');
const AT = '2026-11-21T10:00:00.000Z';
const LATER = '2026-11-21T11:00:00.000Z';

describe('the records of environments', () => {
  let db: TestDynamoDb;
  let environments: EnvironmentRecords;
  beforeAll(async () => {
    db = await startDynamoDb();
    environments = createEnvironmentRecords(db.client, db.recordsTable);
  });
  afterAll(() => db.close());

  async function created(): Promise<Environment> {
    const id = EnvironmentId.parse(`env_${newToken()}`);
    const environment = Environment.parse(resolveEnvironment({ name: 'box' }, id, AT));
    await environments.create(WORKSPACE, environment);
    return environment;
  }

  it('replace the row that was read, once', async () => {
    const environment = await created();
    const revision = 0;
    expect(await environments.findRevised(WORKSPACE, environment.id)).toEqual({ environment, revision });
    const names = ['one', 'two', 'three'];
    const saved = await Promise.all(
      names.map((name) => environments.replace(WORKSPACE, { environment: { ...environment, name }, revision })),
    );
    expect(saved.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    const after = await environments.findRevised(WORKSPACE, environment.id);
    expect(after).toMatchObject({ environment: { name: names[saved.indexOf('saved')] }, revision: 1 });
    expect(await environments.replace(WORKSPACE, { environment, revision: 1 })).toBe('saved');
    expect(await environments.findRevised(WORKSPACE, environment.id)).toEqual({ environment, revision: 2 });
    expect(await environments.replace(WORKSPACE, { environment, revision: 1 })).toBe('conflict');
    expect(await environments.replace(STRANGER, { environment, revision: 2 })).toBe('conflict');
  });

  it('archive, keep the first time, and replace nothing afterwards', async () => {
    const environment = await created();
    expect(await environments.archive(STRANGER, environment.id, AT)).toBeNull();
    expect(await environments.archive(WORKSPACE, environment.id, AT)).toEqual({ ...environment, archived_at: AT });
    expect(await environments.archive(WORKSPACE, environment.id, LATER)).toMatchObject({ archived_at: AT });
    expect(await environments.find(WORKSPACE, environment.id)).toMatchObject({ archived_at: AT });
    expect(await environments.replace(WORKSPACE, { environment, revision: 0 })).toBe('conflict');
  });

  it('delete an environment of the workspace, archived or not', async () => {
    for (const archived of [false, true]) {
      const { id } = await created();
      if (archived) await environments.archive(WORKSPACE, id, AT);
      expect(await environments.remove(STRANGER, id)).toBe(false);
      expect(await environments.find(WORKSPACE, id)).not.toBeNull();
      expect(await environments.remove(WORKSPACE, id)).toBe(true);
      expect(await environments.find(WORKSPACE, id)).toBeNull();
      expect(await environments.remove(WORKSPACE, id)).toBe(false);
    }
  });

  it('do not restore a deleted environment', async () => {
    const environment = await created();
    await environments.remove(WORKSPACE, environment.id);
    expect(await environments.replace(WORKSPACE, { environment, revision: 0 })).toBe('conflict');
    expect(await environments.archive(WORKSPACE, environment.id, AT)).toBeNull();
    expect(await environments.find(WORKSPACE, environment.id)).toBeNull();
  });
});
