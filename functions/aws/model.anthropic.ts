/**
 * The Messages API as the model port. The client's parts are imported one by one: its root would bring the whole API
 * surface, 300 KB, into the harness.
 */
import { BaseAnthropic } from '@anthropic-ai/sdk/client';
import { AnthropicError, APIConnectionError, APIError, APIUserAbortError } from '@anthropic-ai/sdk/core/error';
import { Messages, type MessageStreamParams } from '@anthropic-ai/sdk/resources/messages/messages';
import * as z from 'zod';
import { Fault, type FaultCode } from '#core/errors.ts';
import type { Model, ModelAnswer, ModelRequest } from '#core/ports.ts';

export interface AnthropicOptions {
  readonly baseUrl: string;
  /** Read when the first request is made, then kept: the secret's value never leaves this adapter. */
  readonly apiKey: () => Promise<string>;
}

/** Retries are the state machine's, so that each attempt is in the log. */
const MAX_RETRIES = 0;

/** The SDK's own lines quote what it could not read, which may be the model's answer. */
const LOG_LEVEL = 'off';

/** A gateway in front of the model may leave out what the API always sends; what is stored must be readable again. */
const Tokens = z
  .int()
  .min(0)
  .nullish()
  .transform((count) => count ?? 0);
const Answer = z.object({
  model: z.string(),
  stop_reason: z.string().nullish(),
  stop_details: z.object({ category: z.string().nullish(), explanation: z.string().nullish() }).nullish(),
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

export function createAnthropicModel({ baseUrl, apiKey }: AnthropicOptions): Model {
  let ready: Promise<Messages> | null = null;
  const messages = () =>
    (ready ??= apiKey().then(
      (key) =>
        new Messages(
          new BaseAnthropic({ apiKey: key, baseURL: baseUrl, maxRetries: MAX_RETRIES, logLevel: LOG_LEVEL }),
        ),
    ));

  return {
    async ask(request, listener, signal) {
      try {
        const api = await messages();
        const stream = api.stream(paramsOf(request), { signal });
        stream.on('streamEvent', (event) => {
          if (event.type === 'content_block_delta') listener.onFirstToken();
          if (event.type === 'content_block_start' && event.content_block.type === 'tool_use') {
            listener.onToolStart(event.content_block.name);
          }
        });
        return answerOf(await stream.finalMessage());
      } catch (cause) {
        // A key that is missing or was refused may have been set since: the next request reads it again.
        if (cause instanceof Fault || (cause instanceof APIError && cause.status === 401)) ready = null;
        throw faultOf(cause);
      }
    },
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
  413: 'model_refused_input',
  422: 'model_refused_input',
  429: 'model_rate_limited',
  529: 'model_overloaded',
};

/** The same errors as they arrive inside a stream that began with 200. */
const FAULT_BY_TYPE: Readonly<Record<string, FaultCode>> = {
  overloaded_error: 'model_overloaded',
  rate_limit_error: 'model_rate_limited',
  billing_error: 'model_billing',
  api_error: 'model_unreachable',
  timeout_error: 'model_unreachable',
  invalid_request_error: 'model_refused_input',
};

function faultOf(cause: unknown): unknown {
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
    const code = FAULT_BY_TYPE[cause.type ?? ''] ?? 'model_unreachable';
    return new Fault(code, `the model provider ended the answer with ${cause.type ?? 'an error'}`);
  }
  const code = FAULT_BY_STATUS[status] ?? (status >= 500 ? 'model_unreachable' : 'model_refused_request');
  return new Fault(code, refusalMessage(status, cause.type), { retryAfterSeconds: retryAfter(cause.headers) });
}

function refusalMessage(status: number, type: string | null): string {
  if (status === 401 || status === 403) {
    return `The model provider refused the API key (HTTP ${status}): check the value of the model key secret.`;
  }
  return `The model provider refused the request (HTTP ${status}${type === null ? '' : `, ${type}`}).`;
}

function retryAfter(headers: Headers | undefined): number | null {
  const seconds = Number(headers?.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}
