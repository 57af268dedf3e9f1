/** One row of the route table, from which routes and the OpenAPI document are made. */
import * as z from 'zod';
import { type ApiKeyId, type WorkspaceId, primaryThread, type SessionId } from '#contract/ids.ts';
import { NoQuery } from '#contract/queries.ts';
import { parseBody, parseForm, parseQuery } from '#core/requests/parse.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { ApiWorld } from './api-world.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { RunStart } from '#core/session/send.ts';

type Method = 'GET' | 'POST' | 'DELETE';

/** Fields for the request's canonical line: ids, counts and names. */
export type Note = (fields: Readonly<Record<string, string | number>>) => void;

interface Caller {
  readonly world: ApiWorld;
  readonly workspace: WorkspaceId;
  readonly apiKey: ApiKeyId;
  readonly note: Note;
  /** This request's id. */
  readonly requestId: string;
}

export interface Call<Params, Query, Body> extends Caller {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

interface RawCall extends Caller {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly text: string;
  /** The fields of a form; null for a body that is none. */
  readonly form: FormData | null;
}

export interface Operation {
  readonly method: Method;
  /** With `{name}` for parameters, as the contract writes it. */
  readonly path: string;
  readonly summary: string;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType;
  readonly response: z.ZodType;
  /** Whether the body is `multipart/form-data`. */
  readonly form: boolean;
  readonly run: (call: RawCall) => Promise<unknown>;
}

/** An operation without path parameters, or without a body: an empty object is accepted, a field is not. */
const NoParams = z.object({});
export const NoBody = z.strictObject({});

interface Spec<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType, Response extends z.ZodType> {
  /** The method, and the path with `{name}` for parameters, as the contract writes it. */
  readonly route: `${Method} /${string}`;
  readonly summary: string;
  /** @default none */
  readonly params?: Params;
  /** @default none */
  readonly query?: Query;
  /** @default none */
  readonly body?: Body;
  /** Whether the body is `multipart/form-data`: fields `name[]` are lists. @default false */
  readonly form?: boolean;
  readonly response: Response;
  readonly handle: (
    call: Call<z.infer<Params>, z.infer<Query>, z.infer<Body>>,
  ) => Promise<z.infer<Response> | RequestRefusal>;
}

/** The border: each part is parsed here, once, and the handler trusts it. */
export function operation<
  Response extends z.ZodType,
  Params extends z.ZodObject = typeof NoParams,
  Query extends z.ZodObject = typeof NoQuery,
  Body extends z.ZodType = typeof NoBody,
>({ route, summary, response, handle, ...given }: Spec<Params, Query, Body, Response>): Operation {
  // A part that is left out has the type that its parameter has by default.
  const params = (given.params ?? NoParams) as Params;
  const query = (given.query ?? NoQuery) as Query;
  const body = (given.body ?? NoBody) as Body;
  const { form: isForm = false } = given;
  return {
    ...routeOf(route),
    ...{ summary, params, query, body, response, form: isForm },
    async run({ params: givenParams, query: givenQuery, text, form, ...caller }) {
      const parsedParams = params.safeParse(givenParams);
      // An id of another form is answered like an id that was never issued.
      if (!parsedParams.success) return notFound(String(parsedParams.error.issues[0]?.path[0]));
      const parsedQuery = parseQuery(query, givenQuery);
      if (isRefusal(parsedQuery)) return parsedQuery;
      const parsedBody = isForm ? parseForm(body, form) : parseBody(body, text);
      if (isRefusal(parsedBody)) return parsedBody;
      return handle({ ...caller, params: parsedParams.data, query: parsedQuery, body: parsedBody });
    },
  };
}

/** `POST /v1/agents` */
export function routeOf(route: `${Method} /${string}`): Pick<Operation, 'method' | 'path'> {
  const [method, path] = route.split(' ') as [Method, string];
  return { method, path };
}

/** `name` is the field that holds the id. A record of another workspace is answered in the same way. */
export function notFound(name: string): RequestRefusal {
  return refuse('not_found_error', `${name}: there is no such ${name.replace(/_id$/, '').replaceAll('_', ' ')}`);
}

export function keyOf(session: SessionId) {
  return { session, thread: primaryThread(session) };
}

/** The log's head, if the session is the caller's: its state names the workspace, so no row has to be read. */
export async function ownHead(
  world: Pick<ApiWorld, 'log'>,
  workspace: WorkspaceId,
  session: SessionId,
): Promise<Head | null> {
  const head = await world.log.head(keyOf(session));
  return head?.state.workspace === workspace ? head : null;
}

export function noteStart(note: Note, start: RunStart): void {
  note({ run_start: start.run });
  if (start.run === 'failed') note({ error_class: start.errorClass });
}
