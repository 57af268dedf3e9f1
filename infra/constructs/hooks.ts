import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { HookSettings } from '#contract/hooks.ts';
import type { EntryFunction } from './entry-function.ts';

/** Functions of the customer's own, which can deny a call that policy allows, and change what is sent and shown. */
export interface HookProps {
  /** Asked before each call that policy allows. */
  readonly pre?: IFunction;
  /** Asked before a result is shown to the model. */
  readonly post?: IFunction;
  /** Whether a call goes on when its hook does not answer within five seconds. @default false */
  readonly failOpen?: boolean;
}

/** Hands the hooks to the function that makes the calls, with the right to invoke them and nothing else. */
export function grantHooks(proxy: EntryFunction, { pre, post, failOpen = false }: HookProps): void {
  const settings: HookSettings = { pre: pre?.functionArn ?? null, post: post?.functionArn ?? null, failOpen };
  const on = [pre, post].flatMap((hook) => (hook === undefined ? [] : [hook.functionArn]));
  const rights = on.length === 0 ? [] : [{ actions: ['lambda:InvokeFunction'], on }];
  proxy.receive({ MCP_HOOKS: JSON.stringify(settings) }, ...rights);
}
