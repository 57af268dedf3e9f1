/**
 * The proxy dies while it suspends a call, or the connect function while it resumes one. The call is made at most once,
 * and a user is asked only when the consent is of use.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { auditOf, beginChains, told } from '#test/faults/audit.ts';
import { expectSound } from '#test/faults/stored-log.ts';
import { sweepNow } from '#test/faults/sweep.ts';
import { follow } from '#test/journeys/follower.ts';
import { calling } from '#test/journeys/scripts.ts';
import { ofType, textOf } from '#test/journeys/service.ts';
import { linksIn, startConsentService, type ConsentService } from '#test/mcp/consent-service.ts';
import { mcp } from '#test/mcp/mcp-service.ts';
import { sample } from '#test/property-runs.ts';

/** The calls to AWS, in order, of a call that is suspended, when its tools are pinned. */
const AUDIT_INTENT = { of: 'dynamodb:PutItem', call: 1 };
const MARK_STARTED = { of: 'dynamodb:UpdateItem', call: 1 };
const LINK = { of: 'dynamodb:TransactWriteItems', call: 1 };
const MARK_SUSPENDED = { of: 'dynamodb:UpdateItem', call: 2 };
const LOG_SUSPENDED = { of: 'dynamodb:PutItem', call: 2 };
const AUDIT_OUTCOME = { of: 'dynamodb:PutItem', call: 3 };

describe('an MCP call that waits for its user', () => {
  let service: ConsentService;
  beforeAll(async () => {
    service = await startConsentService();
    service.standIn.script(calling(mcp('refund', { amount: 5 })));
    await beginChains(service);
    await service.converse(await service.mcpSession({ vaults: [] }), 'pins the tools');
  });
  afterAll(async () => service.close());
  afterEach(() => service.runtime.faults.disarm());

  async function begin() {
    await service.runtime.aws.stepFunctions.idle();
    const session = await service.mcpSession({ vaults: [await service.vaultOf('alice')] });
    const before = service.admitted('refund').length;
    return {
      session,
      follower: await follow(service, session),
      sent: () => service.admitted('refund').length - before,
    };
  }

  it.each(
    sample(3, [
      ['before', 'the intent is on record', AUDIT_INTENT],
      ['after', 'the intent is on record', AUDIT_INTENT],
      ['before', 'the call is marked', MARK_STARTED],
      ['after', 'it is marked as one that waits', MARK_SUSPENDED],
      ['before', 'the log says that it waits', LOG_SUSPENDED],
      ['after', 'the log says that it waits', LOG_SUSPENDED],
      ['before', 'the outcome is on record', AUDIT_OUTCOME],
      ['after', 'the outcome is on record', AUDIT_OUTCOME],
    ] as const),
  )('waits for one consent when the proxy is killed %s %s', async (phase, _what, effect) => {
    const { session, follower, sent } = await begin();
    const killed = service.runtime.faults.killDuring({ function: 'mcp-proxy', ...effect, phase });
    await service.send(session, 'refund');
    await killed;
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'requires_action' } });
    const links = linksIn(follower.since());
    expect(links).toHaveLength(1);
    await service.consent('alice', links[0] ?? '');
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
    expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: refunded 5']);
    expect(sent()).toBe(1);
    await service.runtime.aws.stepFunctions.idle();
    await expectSound(service, session);
    const audited = told(await auditOf(service, session));
    expect(audited.slice(-2)).toEqual(['intent', 'done']);
    expect(audited.filter((what) => what === 'suspended')).toHaveLength(1);
    follower.leave();
  });

  it.each(
    sample(1, [
      ['after', 'the call is marked', MARK_STARTED],
      ['before', 'there is a link', LINK],
      ['after', 'there is a link', LINK],
      ['before', 'it is marked as one that waits', MARK_SUSPENDED],
    ] as const),
  )('ends without a link for its user when the proxy is killed %s %s', async (phase, _what, effect) => {
    const { session, follower, sent } = await begin();
    const killed = service.runtime.faults.killDuring({ function: 'mcp-proxy', ...effect, phase });
    await service.send(session, 'refund');
    await killed;
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
    const events = await expectSound(service, session);
    expect(textOf(ofType(events, 'agent.mcp_tool_result')[0])).toContain('may or may not have had an effect');
    expect(sent()).toBe(0);
    const open = await service.extension('GET', `/v1/x/connect?session_id=${session}`);
    expect(open.body).toMatchObject({ data: [] });
    expect(told(await auditOf(service, session)).at(-1)).toBe('unknown');
    follower.leave();
  });

  it.each(
    sample(1, [
      ['the credential is stored', 'after', { of: 'dynamodb:TransactWriteItems', call: 1 }],
      ['the run is started', 'before', { of: 'states:StartExecution', call: 1 }],
      ['the run is started', 'after', { of: 'states:StartExecution', call: 1 }],
    ] as const),
  )(
    'is made although the connect function was killed when %s (%s), once a client or sweep reads the connection',
    async (_what, phase, effect) => {
      const { session, follower, sent } = await begin();
      await service.send(session, 'refund');
      await follower.idle();
      const [link = ''] = linksIn(follower.since());
      const killed = service.runtime.faults.killDuring({ function: 'connect', ...effect, phase });
      await service.consent('alice', link).catch(() => undefined);
      await killed;
      await service.extension('GET', `/v1/x/connect?session_id=${session}`);
      // Starts a run that was appended and not started.
      await sweepNow(service);
      expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
      expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: refunded 5']);
      expect(sent()).toBe(1);
      follower.leave();
    },
  );
});
