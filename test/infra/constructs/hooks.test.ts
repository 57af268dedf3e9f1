import { App, Stack } from 'aws-cdk-lib';
import { Function } from 'aws-cdk-lib/aws-lambda';
import { expect, test } from 'vitest';
import type { EntryFunction, Right } from '#infra/constructs/entry-function.ts';
import { grantHooks, type HookProps } from '#infra/constructs/hooks.ts';

const ARN = 'arn:aws:lambda:us-east-1:111111111111:function:check';

/** The settings that the function would get. */
function given(props: (stack: Stack) => HookProps) {
  const stack = new Stack(new App(), 'Own', { env: { account: '111111111111', region: 'us-east-1' } });
  const received: { settings: Readonly<Record<string, string>>; rights: readonly Right[] }[] = [];
  const proxy = {
    receive: (settings: Readonly<Record<string, string>>, ...rights: readonly Right[]) =>
      void received.push({ settings, rights }),
  };
  grantHooks(proxy as unknown as EntryFunction, props(stack));
  const [one] = received;
  return { hooks: JSON.parse(one?.settings['MCP_HOOKS'] ?? ''), rights: one?.rights };
}

test('a function with a hook may invoke the hook’s function and no other', () => {
  const { hooks, rights } = given((stack) => ({ pre: Function.fromFunctionArn(stack, 'Check', ARN), failOpen: true }));
  expect(hooks).toEqual({ pre: ARN, post: null, failOpen: true });
  expect(rights).toEqual([{ actions: ['lambda:InvokeFunction'], on: [ARN] }]);
});

test('without hooks a function may invoke nothing, and a hook that does not answer would deny', () => {
  expect(given(() => ({}))).toEqual({ hooks: { pre: null, post: null, failOpen: false }, rights: [] });
});
