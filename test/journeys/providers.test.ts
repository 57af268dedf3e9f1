/** A conversation with each other model provider: its template, its bundle and its wire protocol. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { launch } from '#infra/local/launch.ts';
import { appAssembly } from '#test/infra/synthesized.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';
import { sample } from '#test/property-runs.ts';

const PROVIDERS = [
  {
    provider: 'bedrock',
    model: 'global.anthropic.claude-haiku-4-5-20251001-v1:0',
    signedFor: /\/us-east-1\/bedrock\/aws4_request/,
  },
  {
    provider: 'claude-platform-on-aws',
    workspace: { 'model.workspaceId': 'wrkspc_1' },
    model: 'claude-haiku-4-5',
    signedFor: /\/us-east-1\/aws-external-anthropic\/aws4_request/,
  },
];

describe.each(sample(1, PROVIDERS))('a service with $provider', ({ provider, workspace, model, signedFor }) => {
  let cdkOut: string;
  let service: Service;
  beforeAll(async () => {
    cdkOut = appAssembly({ 'model.provider': provider, ...workspace });
    service = await startService({ cdkOut, script: calling(bash('echo hi')) });
  });
  afterAll(() => service.close());

  it('runs an agent that uses its tools, with requests signed by the harness’s role', async () => {
    const { client } = service;
    const agent = await client.beta.agents.create({ name: 'Ada', model, tools: [{ type: 'agent_toolset_20260401' }] });
    const environment = await client.beta.environments.create({ name: 'lab' });
    const { id } = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
    const seen = await service.converse(id, 'go');
    expect(textOf(ofType(seen, 'agent.tool_result')[0])).toBe('hi');
    expect(seen.at(-1)).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'end_turn' } });
    const [asked] = service.standIn.requests;
    expect(asked?.request).toMatchObject({ model, max_tokens: 32_000 });
    // The model predates thinking and effort, whatever its id is at this provider.
    expect(asked?.request.thinking).toBeUndefined();
    expect(asked?.headers.authorization).toMatch(signedFor);
    expect(service.standIn.refusals).toEqual([]);
  });

  it('names the model’s endpoint at npm start, and refuses an API key that it could not use', async () => {
    const data = mkdtempSync(join(tmpdir(), 'brainstem-provider-'));
    onTestFinished(() => rmSync(data, { recursive: true }));
    const options = { port: 0, data, cdkOut, sandbox: 'process', progress: () => {}, report: () => {} } as const;
    const launched = await launch({ ...options, environment: {} });
    expect(launched.modelName).toMatch(/^scripted stand-in .*, as the template’s provider on AWS$/);
    await launched.close();
    const withKey = launch({ ...options, environment: { ANTHROPIC_API_KEY: 'sk-test' } });
    await expect(withKey).rejects.toThrow('unset ANTHROPIC_API_KEY');
  });
});
