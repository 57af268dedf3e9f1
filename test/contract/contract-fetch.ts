/**
 * A `fetch` for the official SDK that accepts only what the contract allows: each JSON response in the strict schema of
 * its operation, each frame of a stream in the schema of its event, each error in the envelope and with its type's
 * status.
 */
import * as z from 'zod';
import { ERROR_STATUS, ErrorEnvelope } from '#contract/errors.ts';
import { strict } from '#test/contract/strict-schema.ts';
import { ROUTES, type Route } from '../../functions/api/routes.ts';

export type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface ContractFetch {
  readonly fetch: Fetch;
  /** Each breach of the contract, by operation and path. The request that met it also fails with it. */
  readonly breaches: readonly string[];
}

interface Answered {
  readonly operation: string;
  readonly route: Route | undefined;
  readonly response: Response;
}

export function createContractFetch(send: Fetch = fetch): ContractFetch {
  const breaches: string[] = [];

  function tell({ operation, response }: Answered, found: string): string {
    const breach = `${operation} answers ${response.status}: ${found}`;
    breaches.push(breach);
    return breach;
  }

  return {
    breaches,
    async fetch(url, init) {
      // The SDK looks in this way whether the function takes forms.
      if (String(url).startsWith('data:')) return send(url, init);
      const response = await send(url, init);
      const answered = { ...operationOf(url, init?.method ?? 'GET'), response };
      const found = [...breachesOfHead(answered), ...(isStream(response) ? [] : await breachesOfBody(answered))];
      if (found.length > 0) return broken(tell(answered, found.join('; ')));
      if (!isStream(response) || response.body === null) return response;
      const frames = framesChecked(answered, (breach) => new Error(tell(answered, breach)));
      return new Response(response.body.pipeThrough(frames), { status: response.status, headers: response.headers });
    },
  };
}

/** When two paths match, the one with more fixed parts wins. */
const BY_WORDS = ROUTES.toSorted((a, b) => a.path.split('{').length - b.path.split('{').length);

function operationOf(url: string | URL | Request, method: string): Pick<Answered, 'operation' | 'route'> {
  const { pathname } = new URL(url instanceof Request ? url.url : url);
  const route = BY_WORDS.find(
    (one) =>
      one.method === method.toUpperCase() && new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathname),
  );
  return { route, operation: route === undefined ? `${method} ${pathname}` : `${method} ${route.path}` };
}

function isStream(response: Response): boolean {
  return response.headers.get('content-type') === 'text/event-stream';
}

function breachesOfHead({ route, response }: Answered): readonly string[] {
  const given = response.headers.get('content-type');
  const isDownload = response.ok && route?.status === 'downloaded';
  const isStreamed = response.ok && route?.status === 'streamed';
  const type = isDownload ? given : isStreamed ? 'text/event-stream' : 'application/json';
  return [
    ...(given === type ? [] : [`content-type is ${given}, not ${type}`]),
    // API Gateway's own ids are UUIDs.
    ...(/^(req_\w+|[0-9a-f-]{36})$/.test(response.headers.get('request-id') ?? '') ? [] : ['request-id is missing']),
    ...(response.ok && response.status !== 200 ? ['a success is a 200'] : []),
    ...(response.ok && !response.headers.has('anthropic-workspace-id') ? ['anthropic-workspace-id is missing'] : []),
    ...(response.ok && route === undefined ? ['there is no such operation'] : []),
  ];
}

async function breachesOfBody({ route, response }: Answered): Promise<readonly string[]> {
  if (response.ok && route?.status === 'downloaded') return [];
  let body: unknown;
  try {
    body = await response.clone().json();
  } catch {
    return ['the body is no JSON'];
  }
  if (response.ok) return route === undefined ? [] : breachesOf(route.response, body);
  const envelope = strict(ErrorEnvelope).safeParse(body);
  if (!envelope.success) return breachesOf(ErrorEnvelope, body);
  const { error, request_id: requestId } = envelope.data;
  return [
    ...(ERROR_STATUS[error.type] === response.status ? [] : [`${error.type} belongs to ${ERROR_STATUS[error.type]}`]),
    ...(requestId === response.headers.get('request-id') ? [] : ['request_id is not the header’s']),
  ];
}

export function breachesOf(schema: z.ZodType, value: unknown): readonly string[] {
  const parsed = strict(schema).safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => breachesOfIssue(issue, []));
}

/** For a union, the errors of each variant. */
function breachesOfIssue(issue: z.core.$ZodIssue, parents: readonly PropertyKey[]): readonly string[] {
  const path = [...parents, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0)
    return issue.errors.flat().flatMap((one) => breachesOfIssue(one, path));
  return [`${path.map(String).join('.') || 'the whole'}: ${issue.message}`];
}

/** Throws an error that the SDK does not retry. */
function broken(breach: string): Response {
  const envelope = { type: 'error', error: { type: 'api_error', message: breach }, request_id: 'req_none' };
  const headers = { 'content-type': 'application/json', 'x-should-retry': 'false' };
  return new Response(JSON.stringify(envelope), { status: 599, headers });
}

function framesChecked({ route }: Answered, breach: (found: string) => Error) {
  const decoder = new TextDecoder();
  let text = '';
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      text += decoder.decode(chunk, { stream: true });
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) {
        const found = breachesOfFrame(frame, route?.response ?? z.never());
        if (found.length > 0) return controller.error(breach(`a frame of the stream: ${found.join('; ')}`));
      }
      controller.enqueue(chunk);
    },
  });
}

const PING = z.strictObject({ type: z.literal('ping') });

export function breachesOfFrame(frame: string, schema: z.ZodType): readonly string[] {
  if (frame.startsWith(':') && !frame.includes('\n')) return [];
  const [, name = '', json = ''] = /^event: (.+)\ndata: (.+)$/.exec(frame) ?? [];
  // The SDK ignores a frame without a name.
  if (name === '') return ['it is not one line of event and one line of data'];
  const value: unknown = JSON.parse(json);
  if (name === 'error') return breachesOf(ErrorEnvelope, value);
  const named = z.looseObject({ type: z.literal(name) });
  return [...breachesOf(named, value), ...breachesOf(name === 'ping' ? PING : schema, value)];
}
