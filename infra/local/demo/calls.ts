/** The AWS calls of the demo's functions: counted, and one of them cut off by a crash. */
import type { AroundCall } from '../aws/service.ts';
import { AwsFault } from '../aws/wire.ts';
import type { Controls } from '../runtime.ts';

export interface Call {
  /** Entry name of the function that made the call. */
  readonly by: string;
  /** `dynamodb:PutItem` */
  readonly name: string;
}

export interface Calls {
  readonly aroundCalls: (controls: Controls) => AroundCall;
  /** All calls since start. */
  readonly made: readonly Call[];
  /** Kills the function as it makes this call for the n-th time from now on; the call has no effect. */
  killAt(call: Call, n: number): Promise<void>;
}

export function watchCalls(): Calls {
  const made: Call[] = [];
  let armed: { readonly call: Call; left: number; readonly killed: () => void } | null = null;
  return {
    made,
    killAt: (call, n) => new Promise((killed) => void (armed = { call, left: n, killed })),
    aroundCalls: (controls) => async (request, pass) => {
      const { functionName, worker } = request.caller;
      const call = { by: controls.entryOf(functionName), name: `${request.service}:${request.operation}` };
      made.push(call);
      if (armed?.call.by !== call.by || armed.call.name !== call.name) return pass(request);
      armed.left -= 1;
      if (armed.left > 0) return pass(request);
      const { killed } = armed;
      armed = null;
      await controls.kill(worker);
      killed();
      throw new AwsFault('ServiceUnavailable', 'The caller was killed.', 503);
    },
  };
}
