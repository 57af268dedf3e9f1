/** Hooks in a whole call: a customer's function behind Lambda's API, policies in Cedar, a server over HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { HookRequest } from '#contract/hooks.ts';
import { createHooks } from '#aws/policy/hooks.lambda.ts';
import { sha256 } from '#test/functions/core/mcp/proxy-stage.ts';
import { policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

const SMALL = `@id("small") permit(principal, action, resource) when { context.args.amount.lessThan(decimal("100.0")) };`;

interface Asking {
  /** The answer of the hook before the call; null never comes, and the wait for it ends once the hook was invoked. */
  readonly answer: unknown;
  readonly amount: number;
  readonly failOpen?: boolean;
}

/** The call of a refund of this amount. */
async function refund({ answer, amount, failOpen = false }: Asking) {
  const fx = await startFx();
  onTestFinished(fx.close);
  const asked: HookRequest[] = [];
  const waiting = new AbortController();
  const lambda = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      asked.push(HookRequest.parse(JSON.parse(Buffer.concat(chunks).toString())));
      if (answer === null) waiting.abort();
      else response.writeHead(200).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => lambda.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    lambda.closeAllConnections();
    lambda.close();
  });
  const environment = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`,
    MCP_HOOKS: JSON.stringify({ pre: 'arn:aws:lambda:::pre', post: null, failOpen }),
  };
  const over = { hooks: createHooks(environment, () => waiting.signal), policies: policiesOf(policyOf(SMALL)) };
  const session = fxSession(fx, { tool: 'refund', input: { amount }, over });
  await session.call();
  const sent = fx.calls('refund').map(({ rpc }) => rpc?.params?.['arguments']);
  return { ...session, asked, sent };
}

it('scenario 39: a call is denied and not sent when its hook does not answer', async () => {
  const { sent, asked, results, audited } = await refund({ answer: null, amount: 50 });
  expect(asked).toHaveLength(1);
  expect(sent).toEqual([]);
  expect(results()).toMatchObject([{ is_error: true, content: [{ text: expect.stringMatching(/^denied: /) }] }]);
  expect(audited).toMatchObject([
    { kind: 'intent', decision: 'deny', code: 'hook_silent' },
    { kind: 'outcome', outcome: 'denied', error: 'hook_silent' },
  ]);
});

it('scenario 39: a call is made without the hook’s answer when the customer chose that, and the audit trail says so', async () => {
  const { sent, results, audited } = await refund({ answer: null, amount: 50, failOpen: true });
  expect(sent).toEqual([{ amount: 50 }]);
  expect(results()).toMatchObject([{ is_error: false }]);
  expect(audited).toMatchObject([
    { kind: 'intent', decision: 'allow', code: 'hook_silent', policy_ids: ['small'] },
    { kind: 'outcome', outcome: 'done' },
  ]);
});

it('scenario 39: inputs that a hook changes are sent and recorded, if policy allows them', async () => {
  const changed = await refund({ answer: { code: 'OK', override: { inputs: { amount: 20 } } }, amount: 50 });
  expect(changed.sent).toEqual([{ amount: 20 }]);
  expect(changed.intents()).toMatchObject([{ decision: 'allow', args_sha256: sha256('{"amount":20}') }]);

  const raised = await refund({ answer: { code: 'OK', override: { inputs: { amount: 200 } } }, amount: 50 });
  expect(raised.sent).toEqual([]);
  expect(raised.audited).toMatchObject([
    { kind: 'intent', decision: 'deny', code: 'no_matching_permit' },
    { kind: 'outcome', outcome: 'denied' },
  ]);
});

it('scenario 39: a hook is not asked about a call that policy denies', async () => {
  const { sent, asked, audited } = await refund({ answer: { code: 'OK' }, amount: 500 });
  expect(sent).toEqual([]);
  expect(asked).toEqual([]);
  expect(audited).toMatchObject([
    { kind: 'intent', decision: 'deny', code: 'no_matching_permit' },
    { kind: 'outcome', outcome: 'denied' },
  ]);
});
