import { describe, expect, it } from 'vitest';
import type { EventInput } from '#contract/events.ts';
import { Fault } from '#core/ports/errors.ts';
import { recordRefused, type RefusalPorts } from '#core/mcp/judge-calls.ts';
import { send, type BeforeRefusal } from '#core/session/send.ts';
import { KEY, says } from '#test/functions/core/given.ts';
import { agentWith, ALICE, FX_URL, holding, proxyStage, sha256, type ProxyStage } from './proxy-stage.ts';

const answered = (stage: ProxyStage, result: 'allow' | 'deny'): EventInput => ({
  type: 'user.tool_confirmation',
  tool_use_id: stage.open.id,
  result,
});

/** A session that waits for the confirmation of one call. */
async function waiting(options: Parameters<typeof proxyStage>[0] = {}) {
  const stage = proxyStage({ asks: true, ...options });
  await stage.when({ do: 'await action' });
  return stage;
}

async function sent(stage: ProxyStage, events: readonly EventInput[], over: Partial<RefusalPorts> = {}) {
  const { log, stamp } = stage;
  const head = await log.head(KEY);
  if (head === null) throw new Error('the session has no log');
  const world: RefusalPorts = { ...stage.world, ...over };
  const runs = { start: async () => 'started' as const };
  const beforeRefusal: BeforeRefusal = (append, refused) => recordRefused(world, append, refused);
  return send({ log, runs, stamp }, { key: KEY, head, cause: 'req_1', beforeRefusal }, events);
}

const nothingRead: Partial<RefusalPorts> = {
  log: { entryAt: () => expect.fail('nothing has to be read') } as never,
  sessions: { find: () => expect.fail('nothing has to be read') },
  credentials: { match: () => expect.fail('nothing has to be read') },
  audit: { record: () => expect.fail('nothing has to be recorded') },
};

describe('an MCP call that a person refuses', () => {
  it('leaves an audit intent and an outcome that name its user', async () => {
    const stage = await waiting({ agent: agentWith({ fx: `${FX_URL}?key=1` }), holdings: [holding('alice', 'alice')] });
    expect(await sent(stage, [answered(stage, 'deny')])).toMatchObject({ status: 'accepted' });
    const { id, version } = stage.agent;
    const subject = {
      ...{ ...KEY, agent: id, agent_version: version, user: 'alice', call: stage.open.id },
      ...{ server: 'fx', server_url: FX_URL, tool: 'sum', args_sha256: sha256('{"a":1,"b":2}') },
    };
    const judgement = { policy_ids: [], policy_sha256: null, mode: 'none', would: null, confirmed: false };
    expect(stage.audited).toMatchObject([
      { kind: 'intent', ...subject, decision: 'deny', code: 'confirmation_denied', ...judgement },
      { kind: 'outcome', ...subject, outcome: 'denied', error: 'confirmation_denied', credential: null },
    ]);
    expect(stage.results()).toMatchObject([{ is_error: true }]);
  });

  it('is recorded before the refusal is appended, and not refused when it cannot be recorded', async () => {
    const stage = await waiting();
    const before = stage.entries().length;
    const seen: number[] = [];
    const record = async () => void seen.push(stage.entries().length);
    const unavailable = () => Promise.reject(new Fault('audit_unavailable', 'it does not answer'));
    await expect(sent(stage, [answered(stage, 'deny')], { audit: { record: unavailable } })).rejects.toMatchObject({
      code: 'audit_unavailable',
    });
    expect((await stage.state()).calls).toMatchObject([{ waitsFor: 'confirmation' }]);
    await sent(stage, [answered(stage, 'deny')], { audit: { record } });
    expect(seen).toEqual([before, before]);
  });

  it('is recorded for each attempt when a process died before the append', async () => {
    const stage = await waiting();
    const dying = { ...stage, log: { ...stage.log, append: () => Promise.reject(new Error('died')) } };
    await expect(sent(dying, [answered(stage, 'deny')])).rejects.toThrow('died');
    await sent(stage, [answered(stage, 'deny')]);
    expect(stage.outcomes().map(({ outcome }) => outcome)).toEqual(['denied', 'denied']);
    expect(stage.results()).toHaveLength(1);
  });

  it('is recorded also when an approval was faster, and is then not accepted', async () => {
    const stage = await waiting();
    const { append } = stage.log;
    const overtaken: typeof append = async (late) => {
      await stage.when({ do: 'send', events: [answered(stage, 'allow')] });
      return append(late);
    };
    const raced = { ...stage, log: { ...stage.log, append: overtaken } };
    expect(await sent(raced, [answered(stage, 'deny')])).toMatchObject({ status: 'refused' });
    expect((await stage.state()).calls).toMatchObject([{ waitsFor: 'hand', isConfirmed: true }]);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'denied' }]);
  });

  it('is recorded also when it was suspended, and names no user where the vaults name two', async () => {
    const stage = proxyStage({ holdings: [ALICE, holding('bob', 'bob')] });
    const error = { type: 'mcp_authentication_failed_error' as const, server: 'fx', message: 'Connect to fx.' };
    await stage.when({ do: 'suspend', call: stage.open.id, sincePosition: stage.open.sincePosition, error });
    await sent(stage, [answered(stage, 'deny')]);
    expect(stage.audited).toMatchObject([
      { kind: 'intent', user: null, server_url: FX_URL, code: 'confirmation_denied' },
      { kind: 'outcome', user: null, outcome: 'denied' },
    ]);
  });
});

describe('a request that refuses no MCP call', () => {
  it('writes no audit record: a message, an interrupt, an approval, a refusal of a call that does not wait', async () => {
    const stage = await waiting();
    expect(await sent(stage, [{ type: 'user.interrupt' }], nothingRead)).toMatchObject({ status: 'accepted' });
    expect(await sent(stage, [answered(stage, 'deny')], nothingRead)).toMatchObject({ status: 'refused' });
    expect(await sent(stage, [says('hi')], nothingRead)).toMatchObject({ status: 'accepted' });
    const allowed = await waiting();
    expect(await sent(allowed, [answered(allowed, 'allow')], nothingRead)).toMatchObject({ status: 'accepted' });
  });
});
