/** The harvest of an idle sandbox, as an asynchronous invocation of `execute`, which alone reaches sandboxes. */
import type { HarvestInput } from '#contract/run.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Harvesting } from '#core/ports/sandboxes.ts';
import { createInvoke } from '#aws/invoke.lambda.ts';
import type { Env } from '#aws/settings.ts';

/** The sweep has less than a minute for all it does. */
const TIMEOUT_MS = 2000;

export function createHarvester(env: Env, functionName: string): Harvesting {
  const invoke = createInvoke(env, { retries: 1 });
  return {
    async harvest(hand, generation) {
      const input: HarvestInput = { hand, harvest: generation };
      await invoke(functionName, { type: 'Event', input, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(
        (cause: unknown) => {
          throw new Fault('sandbox_not_ready', 'the harvest of an idle sandbox was not accepted', { cause });
        },
      );
    },
  };
}
