/** What programs for older versions of the API send, and what is made of it. */
import { describe, expect, it } from 'vitest';
import { CredentialCreate } from '#contract/credential-requests.ts';
import { EnvironmentCreate, EnvironmentUpdate } from '#contract/environments.ts';
import { EventsSend } from '#contract/events.ts';
import { EnvironmentId } from '#contract/ids.ts';
import { resolveEnvironment } from '#core/environments/resolve.ts';
import { parseBody } from '#core/requests/parse.ts';
import { given, says, sends } from '#test/functions/core/given.ts';

const refusal = (message: string) => expect.objectContaining({ message });

describe('an environment of the type anthropic_cloud', () => {
  it('is one of the type cloud', () => {
    const body = '{"name":"e","config":{"type":"anthropic_cloud","networking":{"type":"unrestricted"}}}';
    const input = EnvironmentCreate.parse(JSON.parse(body));
    const saved = resolveEnvironment(input, EnvironmentId.parse('env_1'), '2026-01-01T00:00:00.000Z');
    expect(saved).toMatchObject({ config: { type: 'cloud' } });
    expect(parseBody(EnvironmentUpdate, '{"config":{"type":"anthropic_cloud"}}')).toMatchObject({ config: {} });
  });

  it.each(['self_hosted', 'anthropic', ''])('is not one of the type %j', (type) => {
    expect(EnvironmentCreate.safeParse({ name: 'e', config: { type } }).success).toBe(false);
  });
});

describe('a document in base64', () => {
  const base64 = (bytes: string | Buffer) => Buffer.from(bytes).toString('base64');
  const sending = (source: object) =>
    JSON.stringify({ events: [{ type: 'user.message', content: [{ type: 'document', title: 'notes', source }] }] });
  const sourceOf = (source: object) => {
    const sent = parseBody(EventsSend, sending(source));
    return 'events' in sent ? (sent.events[0] as { content: readonly { source: unknown }[] }).content[0]?.source : sent;
  };

  it.each(['hello', 'é😀\n', '\ufeffmarked'])('of the type text/plain becomes the text %j', (text) => {
    const source = { type: 'base64', media_type: 'text/plain', data: base64(text) };
    expect(sourceOf(source)).toEqual({ type: 'text', media_type: 'text/plain', data: text });
  });

  it.each([
    ['no UTF-8', base64(Buffer.from([0x63, 0xe9]))],
    ['white space', base64(' \n')],
  ])('of the type text/plain is refused when it holds %s', (_name, data) => {
    expect(sourceOf({ type: 'base64', media_type: 'text/plain', data })).toEqual(
      refusal('events.0.content.0.source.data: must be a text in UTF-8 that says something'),
    );
  });

  it('of another type stays in base64, or is refused', () => {
    const pdf = { type: 'base64', media_type: 'application/pdf', data: base64('%PDF-') };
    expect(sourceOf(pdf)).toEqual(pdf);
    expect(sourceOf({ ...pdf, media_type: 'text/html' })).toEqual(
      expect.objectContaining({ message: expect.stringContaining('application/pdf') }),
    );
    expect(sourceOf({ type: 'base64', media_type: 'text/plain', data: '*' })).toEqual(
      expect.objectContaining({ message: expect.stringContaining('source.data') }),
    );
  });
});

describe('a credential without mcp_server_url', () => {
  it.each(['mcp_oauth', 'static_bearer'])('of the type %s is refused as incomplete', (type) => {
    const auth = (url: object) => JSON.stringify({ auth: { type, access_token: 't', token: 't', ...url } });
    expect(parseBody(CredentialCreate, auth({}))).toEqual(refusal('auth.mcp_server_url: is required'));
    expect(parseBody(CredentialCreate, auth({ mcp_server_url: 'ftp://x' }))).toEqual(
      refusal('auth.mcp_server_url: must be an http or https URL'),
    );
  });
});

describe('an event with session_thread_id', () => {
  it.each(['user.interrupt', 'user.tool_confirmation', 'user.custom_tool_result'] as const)('%s', (type) => {
    const ids = { tool_use_id: 'sevt_1', custom_tool_use_id: 'sevt_1', result: 'allow' };
    const { tool_use_id, result, custom_tool_use_id } = ids;
    const own = {
      'user.interrupt': {},
      'user.tool_confirmation': { tool_use_id, result },
      'user.custom_tool_result': { custom_tool_use_id },
    }[type];
    const input = (session_thread_id: string | null) =>
      EventsSend.parse({ events: [{ type, ...own, session_thread_id }] }).events;
    const running = given().when(sends(says('hi')));
    for (const accepted of [null, running.head.state.thread]) {
      expect(running.when(sends(...input(accepted))).refusal ?? '').not.toContain('thread');
    }
    expect(running.when(sends(...input('sthr_other'))).refusal).toBe('there is no such thread in this session');
  });
});
