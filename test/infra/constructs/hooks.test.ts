import { expect, test } from 'vitest';
import type { EntryFunction, Right } from '#infra/constructs/entry-function.ts';
import { grantHooks } from '#infra/constructs/hooks.ts';
import type { Options } from '#infra/options/options.ts';

const ARN = 'arn:aws:lambda:us-east-1:111111111111:function:check';

/** The settings and rights that the function would get. */
function given(hooks: Options['mcp']['hooks']) {
  const received: { settings: Readonly<Record<string, string>>; rights: readonly Right[] }[] = [];
  const proxy = {
    receive: (settings: Readonly<Record<string, string>>, ...rights: readonly Right[]) =>
      void received.push({ settings, rights }),
  };
  grantHooks(proxy as unknown as EntryFunction, hooks);
  const [one] = received;
  return { hooks: JSON.parse(one?.settings['MCP_HOOKS'] ?? ''), rights: one?.rights };
}

test('a function with a hook may invoke the hook’s function and no other', () => {
  const { hooks, rights } = given({ preFunctionArn: ARN, failOpen: true });
  expect(hooks).toEqual({ pre: ARN, post: null, failOpen: true });
  expect(rights).toEqual([{ actions: ['lambda:InvokeFunction'], on: [ARN] }]);
});

test('without hooks a function may invoke nothing, and a hook that does not answer would deny', () => {
  expect(given({ failOpen: false })).toEqual({ hooks: { pre: null, post: null, failOpen: false }, rights: [] });
});
