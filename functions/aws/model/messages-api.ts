/**
 * The Messages API as the model port, the same for every provider: the request, the stream, the answer and the faults. Each
 * provider brings its client from an import of its own: the SDK's root would bring the whole API surface, 300 KB.
 */
import type { ClientOptions } from '@anthropic-ai/sdk/client';
import { AnthropicError, APIConnectionError, APIError, APIUserAbortError } from '@anthropic-ai/sdk/core/error';
import type {
  Messages,
  MessageStreamParams,
  RawMessageStreamEvent,
} from '@anthropic-ai/sdk/resources/messages/messages';
import * as z from 'zod';
import { RefusalCategory } from '#contract/events.ts';
import type { SilenceSeconds } from '#contract/models.ts';
import { Fault, type FaultCode } from '#core/ports/errors.ts';
import type { Model, ModelAnswer, ModelListener, ModelRequest } from '#core/ports/model.ts';

interface MessagesProvider {
  /** Makes the client with its credentials; called again after they were missing or refused. */
  connect(options: typeof CLIENT_OPTIONS & { readonly fetch: Fetch }): Promise<Pick<Messages, 'stream'>>;
  readonly silence: SilenceSeconds;
  /** The credentials that HTTP 401 and 403 refuse, and what an operator has to check then. */
  readonly credentials: { readonly name: string; readonly check: string };
}

type Fetch = NonNullable<ClientOptions['fetch']>;

const CLIENT_OPTIONS = {
  /** Retries are the state machine's, so that each attempt is in the log. */
  maxRetries: 0,
  /** The SDK's log lines quote text that it could not parse, which may be the model's answer. */
  logLevel: 'off',
  /** Nothing takes the SDK's spans, which it describes before it asks whether they are taken. */
  openTelemetry: false,
} as const satisfies ClientOptions;

/** A gateway in front of the model may leave out what the API always sends; what is stored must be readable again. */
const Tokens = z
  .int()
  .min(0)
  .nullish()
  .transform((count) => count ?? 0);
const Answer = z.object({
  model: z.string(),
  stop_reason: z.string().nullish(),
  stop_details: z
    .object({
      // A category that clients do not know would be none of their type's.
      category: RefusalCategory.nullish().catch(null),
      explanation: z.string().nullish(),
    })
    .nullish(),
  content: z.array(
    z.union([
      z.looseObject({ type: z.literal('tool_use'), id: z.string().min(1), name: z.string() }),
      z.looseObject({ type: z.literal('text'), text: z.string() }),
      z.looseObject({ type: z.string().regex(/^(?!text$|tool_use$)/) }),
    ]),
  ),
  usage: z.object({
    input_tokens: Tokens,
    output_tokens: Tokens,
    cache_read_input_tokens: Tokens,
    cache_creation_input_tokens: Tokens,
  }),
});

export function createMessagesModel({ connect, silence, credentials }: MessagesProvider): Model {
  const limits = new Map(Object.entries(silence.models));
  const ready = new Map<number, ReturnType<typeof connect>>();

  /** Models with the same limit share a client. */
  function clientFor(model: string): ReturnType<typeof connect> {
    const seconds = limits.get(model) ?? silence.default;
    const client = ready.get(seconds) ?? connect({ ...CLIENT_OPTIONS, fetch: fetchUntilSilent(seconds) });
    ready.set(seconds, client);
    return client;
  }

  return {
    async ask(request, listener, signal) {
      try {
        const api = await clientFor(request.model);
        const stream = api.stream(paramsOf(request), { signal, headers: headersOf(request) });
        stream.on('streamEvent', telling(listener));
        return answerOf(await stream.finalMessage());
      } catch (cause) {
        // Missing or refused credentials may have been set since: the next request reads them again.
        if (cause instanceof Fault || (cause instanceof APIError && cause.status === 401)) ready.clear();
        throw faultOf(cause, credentials);
      }
    },
  };
}

/** Cuts off a response that sends nothing for so long. Pings of the provider count, because it is at work then. */
function fetchUntilSilent(seconds: number): Fetch {
  return async (url, init) => {
    const cutOff = new AbortController();
    const silent = new Fault('model_overloaded', `the model sent nothing for ${seconds} seconds`);
    const timer = setTimeout(() => cutOff.abort(silent), seconds * 1000).unref();
    const signals = [cutOff.signal, ...(init?.signal == null ? [] : [init.signal])];
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.any(signals) });
      if (response.body === null) return response;
      const { status, headers } = response;
      return new Response(ReadableStream.from(heard(response.body, timer)), { status, headers });
    } catch (error) {
      clearTimeout(timer);
      throw error;
    }
  };
}

async function* heard(body: AsyncIterable<Uint8Array>, timer: NodeJS.Timeout): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of body) {
      timer.refresh();
      yield chunk;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Blocks stream one after the other. */
function telling(listener: ModelListener): (event: RawMessageStreamEvent) => void {
  let texts = 0;
  return (event) => {
    if (event.type === 'content_block_delta') {
      listener.onFirstToken();
      if (event.delta.type === 'text_delta') listener.onText(texts - 1, event.delta.text);
    }
    if (event.type !== 'content_block_start') return;
    const block = event.content_block;
    if (block.type === 'tool_use') listener.onToolStart(block.name);
    if (block.type === 'thinking' || block.type === 'redacted_thinking') listener.onThinking();
    if (block.type !== 'text') return;
    texts += 1;
    if (block.text !== '') listener.onText(texts - 1, block.text);
  };
}

function paramsOf(request: ModelRequest): MessageStreamParams {
  const { extra, system, tools, ...rest } = request;
  const params: unknown = {
    ...rest,
    ...extra,
    ...(system.length > 0 ? { system } : {}),
    ...(tools.length > 0 ? { tools } : {}),
  };
  // The port's blocks are the API's own, kept raw so that replay is byte for byte; the SDK's unions cannot say so.
  return params as MessageStreamParams;
}

/** Fast mode is a preview on some models, which refuse it without this; the others take no notice. */
function headersOf({ extra }: ModelRequest): Record<string, string> {
  return extra['speed'] === 'fast' ? { 'anthropic-beta': 'fast-mode-2026-02-01' } : {};
}

function answerOf(message: unknown): ModelAnswer {
  const parsed = Answer.safeParse(message);
  if (!parsed.success)
    throw new Fault('model_unreachable', 'the model answered in another shape than the Messages API’s');
  const { model, stop_reason, stop_details, content, usage } = parsed.data;
  return {
    model,
    stopReason: stop_reason ?? 'end_turn',
    stopDetails:
      stop_details == null
        ? null
        : { category: stop_details.category ?? null, explanation: stop_details.explanation ?? null },
    blocks: content,
    usage,
  };
}

/** HTTP status → fault; statuses that are not named refuse the request for good below 500, and may pass above. */
const FAULT_BY_STATUS: Readonly<Record<number, FaultCode>> = {
  400: 'model_refused_input',
  402: 'model_billing',
  408: 'model_unreachable',
  409: 'model_unreachable',
  413: 'model_input_too_large',
  422: 'model_refused_input',
  // Bedrock: the model failed while it processed the request.
  424: 'model_unreachable',
  429: 'model_rate_limited',
  529: 'model_overloaded',
};

/** The same errors as they arrive inside a stream that began with 200; Bedrock has names of its own. */
const FAULT_BY_TYPE: ReadonlyMap<string, FaultCode> = new Map([
  ['overloaded_error', 'model_overloaded'],
  ['rate_limit_error', 'model_rate_limited'],
  ['billing_error', 'model_billing'],
  ['api_error', 'model_unreachable'],
  ['timeout_error', 'model_unreachable'],
  ['invalid_request_error', 'model_refused_input'],
  ['throttlingException', 'model_rate_limited'],
  ['validationException', 'model_refused_input'],
]);

/** Only its words tell this refusal from others of the same status, at each of those who serve the model. */
function isTooLarge({ message }: APIError): boolean {
  return /(?:prompt|input) is too long|exceeds? (?:the )?context limit/i.test(message);
}

/** Credits that are used up are told with the status of a broken request. */
function isBilling({ message }: APIError): boolean {
  return /credit balance is too low/i.test(message);
}

/** Where in the request the refused part is. Only names of fields and numbers leave the message, which may quote the input. */
function pathOf({ message }: APIError): string | null {
  const path = /\b(?:tools\.\d+|messages\.\d+(?:\.content\.\d+(?:(?:\.tool_result)?\.content\.\d+)?)?)(?![\w])/.exec(
    message,
  );
  return path?.[0] ?? null;
}

function codeOf(cause: APIError, code: FaultCode): FaultCode {
  if (isTooLarge(cause)) return 'model_input_too_large';
  return code === 'model_refused_input' && isBilling(cause) ? 'model_billing' : code;
}

function faultOf(cause: unknown, credentials: MessagesProvider['credentials']): unknown {
  // The SDK wraps what its `fetch` throws.
  const silent = cause instanceof AnthropicError ? faultIn(cause.cause) : null;
  if (silent !== null) return silent;
  // The provider's own message may quote the request, so only its class and number are told.
  if (cause instanceof APIUserAbortError) return new Fault('model_unreachable', 'the model request was cut off');
  if (cause instanceof APIConnectionError)
    return new Fault('model_unreachable', 'the model provider could not be reached');
  if (cause instanceof Fault) return cause;
  if (!(cause instanceof APIError)) {
    // The stream helper wraps a broken socket and a stream that ends early in the SDK's bare error.
    return cause instanceof AnthropicError ? new Fault('model_unreachable', 'the answer broke off') : cause;
  }
  const status: number | undefined = cause.status;
  if (status === undefined) {
    const code = FAULT_BY_TYPE.get(cause.type ?? '') ?? 'model_unreachable';
    return new Fault(codeOf(cause, code), `the model provider ended the answer with ${cause.type ?? 'an error'}`, {
      path: pathOf(cause),
    });
  }
  const code = FAULT_BY_STATUS[status] ?? (status >= 500 ? 'model_unreachable' : 'model_refused_request');
  const message =
    status === 401 || status === 403
      ? `The model provider refused ${credentials.name} (HTTP ${status}): check ${credentials.check}.`
      : `The model provider refused the request (HTTP ${status}${cause.type === null ? '' : `, ${cause.type}`}).`;
  return new Fault(codeOf(cause, code), message, {
    retryAfterSeconds: retryAfter(cause.headers),
    path: pathOf(cause),
  });
}

function faultIn(cause: unknown): Fault | null {
  if (cause instanceof Fault) return cause;
  return cause instanceof Error ? faultIn(cause.cause) : null;
}

function retryAfter(headers: Headers | undefined): number | null {
  const seconds = Number(headers?.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}
