/**
 * Every operation of agents, environments, sessions, threads, events, vaults, memory stores, files, resources, skills and
 * uploads through the official SDK, on the whole service.
 * `service.client` checks each response against its strict schema, and this test checks it against the request.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echo } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';
import { givenBy, ROWS, type Given } from './core-rows.ts';
import { FILE_ROWS } from './file-rows.ts';
import { MEMORY_ROWS } from './memory-rows.ts';
import { RESOURCE_ROWS } from './resource-rows.ts';
import { SKILL_ROWS } from './skill-rows.ts';
import { THREAD_ROWS } from './thread-rows.ts';
import { UPLOAD_ROWS } from './upload-rows.ts';
import { VAULT_ROWS } from './vault-rows.ts';

const ALL = [
  ...[...ROWS, ...VAULT_ROWS, ...MEMORY_ROWS, ...FILE_ROWS, ...RESOURCE_ROWS],
  ...[...SKILL_ROWS, ...THREAD_ROWS, ...UPLOAD_ROWS],
];

const OPERATIONS = 75;

describe('an operation of the contract', () => {
  let service: Service;
  let given: Given;
  beforeAll(async () => {
    service = await startService({ script: echo });
    given = givenBy(service);
  });
  afterAll(async () => service.close());

  it.each(ALL)('answers as the contract defines: $name', async ({ call, shows }) => {
    expect(await call(given)).toMatchObject(shows as object);
  });

  it('has a row in the tables of this test, and only one', () => {
    const names = ALL.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(names.map((name) => name.split(', ')[0])).size).toBe(OPERATIONS);
  });
});
