/** Calls of the operations on resources of sessions, as in `core-rows.ts`. */
import { toFile } from '@anthropic-ai/sdk';
import type { ResourceAddParams, ResourceListParams } from '@anthropic-ai/sdk/resources/beta/sessions/resources';
import { expect } from 'vitest';
import { HEADERS, type Everything } from './core-parameters.ts';
import { row, type Given, type Row } from './core-rows.ts';

const RESOURCE = {
  type: 'file',
  id: expect.stringMatching(/^sesrsc_/),
  file_id: expect.stringMatching(/^file_/),
  created_at: expect.any(String),
};

async function parts({ client, agent, environment, session }: Given) {
  const file = await client.files.upload({ file: await toFile(Buffer.from('a,b'), 'a.csv') });
  const mounted = { type: 'file' as const, file_id: file.id };
  return {
    ...{ client, session, mounted },
    /** A session with one file. */
    async attached() {
      const of = { agent: await agent(), environment_id: await environment() };
      const made = await client.sessions.create({ ...of, resources: [mounted] });
      const [resource] = made.resources;
      if (resource?.type !== 'file') throw new Error('the session has no file');
      return { session_id: made.id, resource: resource.id };
    },
  };
}

export const RESOURCE_ROWS: readonly Row[] = [
  row(
    'POST /v1/sessions/{session_id}/resources',
    async (given) => {
      const { client, session, mounted } = await parts(given);
      return client.sessions.resources.add(await session(), mounted);
    },
    { ...RESOURCE, mount_path: expect.stringMatching(/^\/mnt\/session\/uploads\/file_/) },
  ),
  row(
    'POST /v1/sessions/{session_id}/resources, everything',
    async (given) => {
      const { client, session, mounted } = await parts(given);
      const everything: Everything<ResourceAddParams> = { ...mounted, mount_path: 'in/a.csv' };
      return client.sessions.resources.add(await session(), { ...everything, ...HEADERS });
    },
    { ...RESOURCE, mount_path: '/mnt/session/uploads/in/a.csv' },
  ),
  row(
    'GET /v1/sessions/{session_id}/resources',
    async (given) => {
      const { client, attached } = await parts(given);
      return client.sessions.resources.list((await attached()).session_id);
    },
    { data: [RESOURCE], next_page: null },
  ),
  row(
    'GET /v1/sessions/{session_id}/resources, everything',
    async (given) => {
      const { client, attached, mounted } = await parts(given);
      const { session_id } = await attached();
      await client.sessions.resources.add(session_id, { ...mounted, mount_path: 'second.csv' });
      const everything: Everything<ResourceListParams, 'page'> = { limit: 1 };
      const first = await client.sessions.resources.list(session_id, { ...everything, ...HEADERS });
      return client.sessions.resources.list(session_id, { ...everything, page: first.next_page, ...HEADERS });
    },
    { data: [{ mount_path: '/mnt/session/uploads/second.csv' }], next_page: null },
  ),
  row(
    'GET /v1/sessions/{session_id}/resources/{resource_id}',
    async (given) => {
      const { client, attached } = await parts(given);
      const { session_id, resource } = await attached();
      return client.sessions.resources.retrieve(resource, { session_id, ...HEADERS });
    },
    RESOURCE,
  ),
  row(
    'POST /v1/sessions/{session_id}/resources/{resource_id}, of a file, which has no token',
    async (given) => {
      const { client, attached } = await parts(given);
      const { session_id, resource } = await attached();
      const update = { session_id, authorization_token: 'ghp_x', ...HEADERS };
      return client.sessions.resources.update(resource, update).catch((error: unknown) => error);
    },
    { status: 400, type: 'invalid_request_error' },
  ),
  row(
    'DELETE /v1/sessions/{session_id}/resources/{resource_id}',
    async (given) => {
      const { client, attached } = await parts(given);
      const { session_id, resource } = await attached();
      return client.sessions.resources.delete(resource, { session_id, ...HEADERS });
    },
    { id: expect.stringMatching(/^sesrsc_/), type: 'session_resource_deleted' },
  ),
];
