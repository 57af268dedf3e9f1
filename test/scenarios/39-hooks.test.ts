import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EventId } from '#contract/ids.ts';
import { HookRequest } from '#contract/hooks.ts';
import { hookCall, hookResult } from '#core/policy/hook-call.ts';
import { createHooks } from '#aws/policy/hooks.lambda.ts';
import { FACTS, policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';

const SMALL = `@id("small") permit(principal, action, resource) when { context.args.amount.lessThan(decimal("100.0")) };`;
const CALL = { id: EventId.parse('sevt_1'), facts: FACTS, input: { amount: 50 } };

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

/** Lambda's endpoint with one function; null never answers, and the wait for it ends once the function was invoked. */
async function lambda(answer: unknown, { failOpen = false, headers = {} } = {}) {
  const asked: HookRequest[] = [];
  const waiting = new AbortController();
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (text) => (body += String(text)));
    request.on('end', () => {
      asked.push(HookRequest.parse(JSON.parse(body)));
      if (answer === null) waiting.abort();
      else response.writeHead(200, headers).end(JSON.stringify(answer));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const environment = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    MCP_HOOKS: JSON.stringify({ pre: 'arn:aws:lambda:::pre', post: 'arn:aws:lambda:::post', failOpen }),
  };
  return { hooks: createHooks(environment, () => waiting.signal), asked };
}

async function hooked(hooks: Awaited<ReturnType<typeof lambda>>['hooks'], call = CALL, text = SMALL) {
  const policies = policiesOf(policyOf(text));
  return hookCall({ hooks, policies }, call, await policies.decide(call.facts, call.input));
}

describe('scenario 39: a hook before the call', () => {
  it('that says OK leaves the verdict of policy, and gets the facts of the call', async () => {
    const { hooks, asked } = await lambda({ code: 'OK' });
    expect(await hooked(hooks)).toMatchObject({
      decision: { decision: 'allow', code: 'permitted' },
      input: { amount: 50 },
    });
    expect(asked).toEqual([
      {
        hook: 'pre',
        execution_id: 'sevt_1',
        tool: { name: 'refund', server: 'payments', server_url: 'https://pay.example.com/mcp' },
        inputs: { amount: 50 },
        context: {
          user_id: 'alice',
          workspace: 'wrkspc_1',
          session: 'sesn_1',
          thread: 'sthr_1',
          agent: { id: 'agent_1', version: 3, name: 'Ada' },
        },
      },
    ]);
  });

  it('is not asked when policy denies the call or wants a confirmation', async () => {
    const { hooks, asked } = await lambda({ code: 'OK' });
    expect(await hooked(hooks, { ...CALL, input: { amount: 500 } })).toMatchObject({ decision: { decision: 'deny' } });
    const ask = '@advice("ask") permit(principal, action, resource);';
    expect(await hooked(hooks, CALL, ask)).toMatchObject({ decision: { decision: 'ask' } });
    expect(asked).toEqual([]);
  });

  it.each([
    [{ code: 'CHECK_FAILED', error_message: 'Not on Sundays.' }, 'hook:CHECK_FAILED', 'Not on Sundays.'],
    [{ code: 'RATE_LIMIT_EXCEEDED' }, 'hook:RATE_LIMIT_EXCEEDED', 'The check of this workspace on calls refused it.'],
  ])('that refuses denies the call with its own reason', async (answer, code, reason) => {
    const { hooks } = await lambda(answer);
    expect(await hooked(hooks)).toMatchObject({ decision: { decision: 'deny', code, reason } });
  });

  it.each([
    ['does not answer', null, {}],
    ['answers something else', { ok: true }, {}],
    ['fails', { errorMessage: 'boom' }, { 'x-amz-function-error': 'Unhandled' }],
  ])('that %s denies the call, or lets it be made and recorded, as the customer chose', async (_, answer, headers) => {
    const closed = await lambda(answer, { headers });
    expect(await hooked(closed.hooks)).toMatchObject({ decision: { decision: 'deny', code: 'hook_silent' } });
    server?.closeAllConnections();
    const open = await lambda(answer, { headers, failOpen: true });
    expect(await hooked(open.hooks)).toMatchObject({
      decision: { decision: 'allow', code: 'hook_silent', policyIds: ['small'] },
      input: { amount: 50 },
    });
  });

  it('that changes inputs has policy judge the changed ones', async () => {
    const allowed = await lambda({ code: 'OK', override: { inputs: { amount: 20 } } });
    expect(await hooked(allowed.hooks)).toMatchObject({ decision: { decision: 'allow' }, input: { amount: 20 } });
    server?.closeAllConnections();
    const denied = await lambda({ code: 'OK', override: { inputs: { amount: 200 } } });
    expect(await hooked(denied.hooks)).toMatchObject({ decision: { decision: 'deny', code: 'no_matching_permit' } });
  });

  it('cannot change inputs that a person has confirmed or has to confirm', async () => {
    const { hooks } = await lambda({ code: 'OK', override: { inputs: { amount: 2 } } });
    const confirmed = { ...CALL, facts: { ...FACTS, isConfirmed: true } };
    expect(await hooked(hooks, confirmed)).toMatchObject({ decision: { decision: 'deny', code: 'approval_mismatch' } });
    const asked = `permit(principal, action, resource);
      @advice("ask") permit(principal, action, resource) when { context.args.amount.lessThan(decimal("10.0")) };`;
    expect(await hooked(hooks, CALL, asked)).toMatchObject({
      decision: { decision: 'deny', code: 'approval_mismatch' },
    });
  });
});

describe('scenario 39: a hook after the call', () => {
  const RESULT = { success: true, output: 'Paid to 4711.' };

  it('shows, replaces or withholds the result', async () => {
    const shown = await lambda({ code: 'OK' });
    expect(await hookResult(shown.hooks, CALL, RESULT)).toEqual({ status: 'shown', output: null, isSilent: false });
    expect(shown.asked).toMatchObject([{ hook: 'post', ...RESULT }]);
    server?.closeAllConnections();
    const replaced = await lambda({ code: 'OK', override: { output: 'Paid.' } });
    expect(await hookResult(replaced.hooks, CALL, RESULT)).toMatchObject({ status: 'shown', output: 'Paid.' });
    server?.closeAllConnections();
    const withheld = await lambda({ code: 'CHECK_FAILED', error_message: 'Account numbers stay here.' });
    expect(await hookResult(withheld.hooks, CALL, RESULT)).toEqual({
      status: 'withheld',
      code: 'hook:CHECK_FAILED',
      reason: 'Account numbers stay here.',
    });
  });

  it('that does not answer withholds the result, or shows it with a note, as the customer chose', async () => {
    const closed = await lambda(null);
    expect(await hookResult(closed.hooks, CALL, RESULT)).toMatchObject({ status: 'withheld', code: 'hook_silent' });
    server?.closeAllConnections();
    const open = await lambda(null, { failOpen: true });
    expect(await hookResult(open.hooks, CALL, RESULT)).toEqual({ status: 'shown', output: null, isSilent: true });
  });
});

it('scenario 39: without configured hooks no function is asked', async () => {
  const { hooks, asked } = await lambda({ code: 'CHECK_FAILED' });
  const none = createHooks({
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    MCP_HOOKS: '{"pre":null,"post":null,"failOpen":false}',
  });
  expect(await hooked(none)).toMatchObject({ decision: { decision: 'allow' } });
  expect(hooks.failOpen).toBe(false);
  expect(asked).toEqual([]);
});
