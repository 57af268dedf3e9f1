import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { ROUTES } from '../../../functions/api/routes.ts';
import { startApi, type TestApi } from './api.ts';

describe('the OpenAPI document', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  // oxlint-disable-next-line typescript/no-explicit-any
  const load = async (): Promise<any> => (await api.ask('GET', '/openapi.json', undefined, { authorization: '' })).body;

  it('has no operation or parameter beyond the SDK except those in docs/extensions.md', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/extensions.md'), 'utf8').split('\n');
    for (const { method, path, query, ...rest } of ROUTES.filter((route) => route.path.startsWith('/v1/x/'))) {
      const row = page.find((line) => line.startsWith(`| \`${method} ${path}\` |`));
      const fields = [query, 'body' in rest ? rest.body : null].flatMap((schema) =>
        schema instanceof z.ZodObject ? Object.keys(schema.shape) : [],
      );
      const untold = fields.filter((name) => name !== 'beta' && row?.includes(`\`${name}\``) !== true);
      expect([method, path, row === undefined, untold]).toEqual([method, path, false, []]);
    }
  });

  it('is served without a key and lists every operation that is built', async () => {
    const document = await load();
    expect(document.openapi).toBe('3.1.0');
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(operations.toSorted()).toEqual([
      'DELETE /v1/environments/{environment_id}',
      'DELETE /v1/files/{file_id}',
      'DELETE /v1/memory_stores/{memory_store_id}',
      'DELETE /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
      'DELETE /v1/sessions/{session_id}',
      'DELETE /v1/sessions/{session_id}/resources/{resource_id}',
      'DELETE /v1/skills/{skill_id}',
      'DELETE /v1/skills/{skill_id}/versions/{version}',
      'DELETE /v1/vaults/{vault_id}',
      'DELETE /v1/vaults/{vault_id}/credentials/{credential_id}',
      'DELETE /v1/x/sessions/{session_id}/hands/{hand}/grants/{to_session_id}',
      'DELETE /v1/x/uploads/{upload_id}',
      'GET /v1/agents',
      'GET /v1/agents/{agent_id}',
      'GET /v1/agents/{agent_id}/versions',
      'GET /v1/environments',
      'GET /v1/environments/{environment_id}',
      'GET /v1/files',
      'GET /v1/files/{file_id}',
      'GET /v1/files/{file_id}/content',
      'GET /v1/memory_stores',
      'GET /v1/memory_stores/{memory_store_id}',
      'GET /v1/memory_stores/{memory_store_id}/memories',
      'GET /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
      'GET /v1/memory_stores/{memory_store_id}/memory_versions',
      'GET /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}',
      'GET /v1/models',
      'GET /v1/models/{model_id}',
      'GET /v1/sessions',
      'GET /v1/sessions/{session_id}',
      'GET /v1/sessions/{session_id}/events',
      'GET /v1/sessions/{session_id}/events/stream',
      'GET /v1/sessions/{session_id}/resources',
      'GET /v1/sessions/{session_id}/resources/{resource_id}',
      'GET /v1/sessions/{session_id}/threads',
      'GET /v1/sessions/{session_id}/threads/{thread_id}',
      'GET /v1/sessions/{session_id}/threads/{thread_id}/events',
      'GET /v1/sessions/{session_id}/threads/{thread_id}/stream',
      'GET /v1/skills',
      'GET /v1/skills/{skill_id}',
      'GET /v1/skills/{skill_id}/versions',
      'GET /v1/skills/{skill_id}/versions/{version}',
      'GET /v1/skills/{skill_id}/versions/{version}/content',
      'GET /v1/vaults',
      'GET /v1/vaults/{vault_id}',
      'GET /v1/vaults/{vault_id}/credentials',
      'GET /v1/vaults/{vault_id}/credentials/{credential_id}',
      'GET /v1/x/audit',
      'GET /v1/x/audit/chains/{chain}',
      'GET /v1/x/connect',
      'GET /v1/x/connect/{connect_id}',
      'GET /v1/x/mcp_servers',
      'GET /v1/x/policy',
      'GET /v1/x/policy/versions',
      'GET /v1/x/sessions/{session_id}/hands',
      'GET /v1/x/uploads/{upload_id}',
      'POST /v1/agents',
      'POST /v1/agents/{agent_id}',
      'POST /v1/agents/{agent_id}/archive',
      'POST /v1/environments',
      'POST /v1/environments/{environment_id}',
      'POST /v1/environments/{environment_id}/archive',
      'POST /v1/files',
      'POST /v1/memory_stores',
      'POST /v1/memory_stores/{memory_store_id}',
      'POST /v1/memory_stores/{memory_store_id}/archive',
      'POST /v1/memory_stores/{memory_store_id}/memories',
      'POST /v1/memory_stores/{memory_store_id}/memories/{memory_id}',
      'POST /v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}/redact',
      'POST /v1/sessions',
      'POST /v1/sessions/{session_id}',
      'POST /v1/sessions/{session_id}/archive',
      'POST /v1/sessions/{session_id}/events',
      'POST /v1/sessions/{session_id}/resources',
      'POST /v1/sessions/{session_id}/resources/{resource_id}',
      'POST /v1/sessions/{session_id}/threads/{thread_id}/archive',
      'POST /v1/skills',
      'POST /v1/skills/{skill_id}/versions',
      'POST /v1/vaults',
      'POST /v1/vaults/{vault_id}',
      'POST /v1/vaults/{vault_id}/archive',
      'POST /v1/vaults/{vault_id}/credentials',
      'POST /v1/vaults/{vault_id}/credentials/{credential_id}',
      'POST /v1/vaults/{vault_id}/credentials/{credential_id}/archive',
      'POST /v1/vaults/{vault_id}/credentials/{credential_id}/mcp_oauth_validate',
      'POST /v1/x/connect',
      'POST /v1/x/mcp_servers/approve',
      'POST /v1/x/policy',
      'POST /v1/x/sessions/{session_id}/hands/{hand}/grants',
      'POST /v1/x/skills/anthropic/{name}',
      'POST /v1/x/uploads',
      'POST /v1/x/uploads/{upload_id}/complete',
    ]);
    expect(document['x-not-built-yet']).toContain('POST /v1/environments/{environment_id}/work/{work_id}/ack');
    const ours = operations.filter((operation) => operation.includes(' /v1/x/'));
    expect(operations.length - ours.length + document['x-not-built-yet'].length).toBe(120);
  });

  it('refers only to components that it contains', async () => {
    const document = await load();
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(20);
    for (const reference of new Set(references)) {
      expect(Object.keys(document.components.schemas)).toContain(reference.replace('#/components/schemas/', ''));
    }
  });

  it('describes the frames of a stream: events and previews of them', async () => {
    const document = await load();
    const { schema } =
      document.paths['/v1/sessions/{session_id}/events/stream'].get.responses[200].content['text/event-stream'];
    expect(schema).toEqual({ $ref: '#/components/schemas/StreamFrame' });
    const sent = JSON.stringify(document.components.schemas.StreamFrame);
    for (const name of ['SessionEvent', 'EventStart', 'EventDelta']) expect(sent).toContain(`/schemas/${name}"`);
  });

  it('distinguishes requests from responses, and describes the query of lists', async () => {
    const document = await load();
    const create = document.paths['/v1/agents'].post;
    expect(create.requestBody.content['application/json'].schema).toEqual({ $ref: '#/components/schemas/AgentCreate' });
    expect(create.responses[200].content['application/json'].schema).toEqual({ $ref: '#/components/schemas/Agent' });
    expect(document.components.schemas.AgentCreate.required).toEqual(['name', 'model']);
    const parameters = document.paths['/v1/sessions'].get.parameters;
    const statuses = parameters.find((parameter: { name: string }) => parameter.name === 'statuses[]');
    expect(statuses).toMatchObject({ in: 'query', required: false, schema: { type: 'array' } });
    expect(document.paths['/v1/sessions/{session_id}/archive'].post.requestBody).toBeUndefined();
    const events = document.components.schemas.SessionEvent;
    expect(events.oneOf).toContainEqual({ $ref: '#/components/schemas/UserMessageEvent' });
  });
});
