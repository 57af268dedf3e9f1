/**
 * The stand-in for the model as tests use it: it refuses what the real API would refuse, records requests, and can get
 * another script while it runs.
 */
import { defaultScript } from '#infra/local/model/default-script.ts';
import type { ModelRequest, Reply } from '#infra/local/model/script.ts';
import { startStandIn as startLaxStandIn } from '#infra/local/model/stand-in.ts';
import { checkRequest, type Refusal } from './check-request.ts';
import { endOf, nowMs, recordRequests, type RecordedRequest } from './recorded-requests.ts';

/** `index` counts the requests that were accepted before this one. */
export type Script = (request: ModelRequest, index: number) => Reply | Promise<Reply>;

export interface StandIn {
  /** For a client's `baseURL` or `ANTHROPIC_BASE_URL`. */
  readonly url: string;
  /** The newest accepted requests, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** The newest requests that broke a rule of the API and were answered with 400 or 401. */
  readonly refusals: readonly Refusal[];
  /** Replaces the script; the next request sees the new one. */
  script(script: Script): void;
  /** Resolves with the n-th accepted request since start, counted from 1, as soon as it has arrived. */
  waitForRequest(n: number): Promise<RecordedRequest>;
  /** Forgets every request and refusal, and takes this script, as if it had just started. */
  restart(script?: Script): void;
  close(): Promise<void>;
}

const KEPT_REFUSALS = 100;

export async function startStandIn(options: { readonly script?: Script } = {}): Promise<StandIn> {
  let record = recordRequests();
  let refusals: Refusal[] = [];
  let script: Script = options.script ?? defaultScript;
  const { url, close } = await startLaxStandIn(async (request, { atMs: arrivedAtMs, headers, response }) => {
    const refusal = checkRequest(headers, request);
    if (refusal !== null) {
      refusals.push(refusal);
      if (refusals.length > KEPT_REFUSALS) refusals.shift();
      return { error: refusal };
    }
    const deltasAtMs: number[] = [];
    const index = record.add({ arrivedAtMs, request, headers, deltasAtMs, ended: endOf(response) });
    const reply = await script(request, index);
    return { ...reply, onDelta: () => void deltasAtMs.push(nowMs()) };
  });
  return {
    url,
    close,
    get requests() {
      return record.kept;
    },
    get refusals() {
      return refusals;
    },
    script: (next) => void (script = next),
    waitForRequest: (n) => record.wait(n),
    restart(next = defaultScript) {
      record = recordRequests();
      refusals = [];
      script = next;
    },
  };
}
