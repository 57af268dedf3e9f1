/** The provision function as a port: early provisioning as an asynchronous invocation, and the end of a session's sandboxes. */
import { Fault } from '#core/ports/errors.ts';
import type { KeepUpInput, ProvisionInput, ReleaseInput } from '#contract/run.ts';
import type { KeepingUp, Releasing, Warming } from '#core/ports/sandboxes.ts';
import { createInvoke } from '#aws/invoke.lambda.ts';
import type { Env } from '#aws/settings.ts';

/** Early provisioning is of no use later: the answer that asked for it is complete by then. */
const WARM_TIMEOUT_MS = 2000;
/** Below the API's own 29 s; a repeated delete goes on. */
const RELEASE_TIMEOUT_MS = 15_000;

export function createProvisioner(env: Env, functionName: string): Warming & Releasing & KeepingUp {
  const invoke = createInvoke(env, { retries: 1 });
  return {
    async warm(key, hand) {
      const input: ProvisionInput = { ...key, call: { hand } };
      await invoke(functionName, { type: 'Event', input, signal: AbortSignal.timeout(WARM_TIMEOUT_MS) }).catch(
        (cause: unknown) => {
          throw new Fault('sandbox_not_ready', 'early provisioning was not accepted', { cause });
        },
      );
    },
    async keepUp({ slot }) {
      const input: KeepUpInput = { wayOut: 'keep up', slot };
      await invoke(functionName, { type: 'Event', input, signal: AbortSignal.timeout(WARM_TIMEOUT_MS) }).catch(
        (cause: unknown) => {
          throw new Fault('sandbox_not_ready', 'the start of an egress proxy was not accepted', { cause });
        },
      );
    },
    async release(session) {
      const input: ReleaseInput = { session, release: true };
      await invoke(functionName, {
        type: 'RequestResponse',
        input,
        signal: AbortSignal.timeout(RELEASE_TIMEOUT_MS),
      }).catch((cause: unknown) => {
        throw new Fault('sandbox_not_released', 'the sandboxes of a session could not be ended', { cause });
      });
    },
  };
}
