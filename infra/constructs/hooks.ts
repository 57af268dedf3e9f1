import type { HookSettings } from '#contract/hooks.ts';
import type { Options } from '../options/options.ts';
import type { EntryFunction } from './entry-function.ts';

/** Names the hooks to the function that makes the calls, with the right to invoke them and no other function. */
export function grantHooks(proxy: EntryFunction, hooks: Options['mcp']['hooks']): void {
  const { preFunctionArn: pre = null, postFunctionArn: post = null, failOpen } = hooks;
  const settings: HookSettings = { pre, post, failOpen };
  const on = [pre, post].filter((hook) => hook !== null);
  const rights = on.length === 0 ? [] : [{ actions: ['lambda:InvokeFunction'], on }];
  proxy.receive({ MCP_HOOKS: JSON.stringify(settings) }, ...rights);
}
