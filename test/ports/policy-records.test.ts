import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkspaceId } from '#contract/ids.ts';
import { createPolicyRecords } from '#aws/policy/policy-records.dynamodb.ts';
import { newToken } from '#aws/stamp.ts';
import { policyOf } from '#test/functions/core/policy/facts.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

describe('the records of policies', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  const workspace = () => WorkspaceId.parse(`wrkspc_${newToken()}`);
  const records = () => createPolicyRecords(db.client, db.vaultTable);
  const version = (number: number) => policyOf(`// ${number}`, { version: number });

  it('are empty before a set is saved', async () => {
    expect(await records().pointer(workspace())).toBeNull();
    expect(await records().version(workspace(), 1)).toBeNull();
  });

  it('put the saved set into force, and keep the earlier ones', async () => {
    const ws = workspace();
    for (const number of [1, 2]) expect(await records().saveNext(ws, version(number))).toBe('saved');
    const { policies: _text, type: _type, ...pointer } = version(2);
    expect(await records().pointer(ws)).toEqual(pointer);
    expect(await records().version(ws, 1)).toEqual(version(1));
    expect(await records().version(ws, 2)).toEqual(version(2));
    expect(await records().pointer(workspace())).toBeNull();
  });

  it('let one of several sets that follow the same version win', async () => {
    const ws = workspace();
    for (const number of [1, 2]) {
      const saved = await Promise.all([1, 2, 3].map(() => records().saveNext(ws, version(number))));
      expect(saved.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    }
    expect(await records().saveNext(ws, version(4))).toBe('conflict');
    expect(await records().saveNext(ws, version(1))).toBe('conflict');
    expect(await records().pointer(ws)).toMatchObject({ version: 2 });
    expect(await records().version(ws, 4)).toBeNull();
  });

  it('list versions newest first, also when they are large', async () => {
    const ws = workspace();
    const large = 'x'.repeat(100_000);
    for (let number = 1; number <= 25; number += 1) {
      await records().saveNext(ws, policyOf(`// ${large}`, { version: number }));
    }
    const first = await records().versions(ws, { below: null, limit: 20 });
    expect([first.policies.length, first.policies[0]?.version, first.more]).toEqual([20, 25, true]);
    const rest = await records().versions(ws, { below: 6, limit: 20 });
    expect([rest.policies.map((policy) => policy.version), rest.more]).toEqual([[5, 4, 3, 2, 1], false]);
  });
});
