/** One row of the route table: what an operation takes, gives and does. Routes and the OpenAPI document come from it. */
import type * as z from 'zod';
import type { ApiKeyId, WorkspaceId } from '#contract/ids.ts';
import { parseBody, parseQuery } from '#core/requests/parse.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import type { ApiWorld } from './api-world.ts';

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
  readonly run: (call: RawCall) => Promise<unknown>;
}

interface Spec<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Response extends z.ZodType,
> extends Omit<Operation, 'run'> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly response: Response;
  readonly handle: (
    call: Call<z.infer<Params>, z.infer<Query>, z.infer<Body>>,
  ) => Promise<z.infer<Response> | RequestRefusal>;
}

/** The border: each part is parsed here, once, and the handler trusts it. */
export function operation<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Response extends z.ZodType,
>({ handle, ...described }: Spec<Params, Query, Body, Response>): Operation {
  return {
    ...described,
    async run({ params: givenParams, query: givenQuery, text, ...caller }) {
      const params = described.params.safeParse(givenParams);
      // An id that cannot be one of ours is as unknown as one that we never issued.
      if (!params.success) return notFound(String(params.error.issues[0]?.path[0]));
      const query = parseQuery(described.query, givenQuery);
      if (isRefusal(query)) return query;
      const body = parseBody(described.body, text);
      if (isRefusal(body)) return body;
      return handle({ ...caller, params: params.data, query, body });
    },
  };
}

/** `name` is the field that holds the id; the reply does not tell another workspace's record from none. */
export function notFound(name: string): RequestRefusal {
  return refuse('not_found_error', `${name}: there is no such ${name.replace(/_id$/, '').replaceAll('_', ' ')}`);
}
