/** The API as a function from request to response. Lambda is one way to reach it, tests are another. */
import { Hono, type Context } from 'hono';
import { MAX_BODY_BYTES } from '#contract/content.ts';
import { authenticate } from '#core/requests/admission.ts';
import { replyToFault, replyToRefusal } from '#core/requests/error-envelope.ts';
import { faultFields } from '#core/requests/fault-fields.ts';
import { isRefusal, refuse } from '#core/ports/errors.ts';
import { journalRequest, NOT_KEPT, type Fields } from '../http/gateway.ts';
import type { ApiWorld } from './api-world.ts';
import { carriedBytes, MAX_CARRIED_BYTES } from './carried-bytes.ts';
import { openApiDocument } from './openapi.ts';
import type { Note, Operation } from './operation.ts';
import { ROUTES, UNBUILT } from './routes.ts';

/** One request, while it is answered. */
interface Answering {
  readonly world: ApiWorld;
  readonly id: string;
  readonly request: Context['req'];
  readonly headers: Headers;
  readonly note: Note;
}

/** Resolves with what the response's body is to be, or with a refusal. */
type Work = (answering: Answering) => Promise<unknown>;

export function createApp(world: ApiWorld): Hono {
  const app = new Hono();
  for (const route of ROUTES) {
    if (route.status !== 'built') continue;
    app.on(route.method, honoPath(route.path), (context) => respond(world, context, route.path, perform(route)));
  }
  for (const { method, path } of UNBUILT) {
    app.on(method, honoPath(path), (context) =>
      respond(world, context, path, notThere(`${method} ${path} is not built yet in this service`)),
    );
  }
  app.get('/openapi.json', (context) =>
    respond(world, context, '/openapi.json', () => Promise.resolve(openApiDocument())),
  );
  const unknown = notThere('there is no operation with this method and path');
  app.notFound((context) => respond(world, context, 'unknown', unknown));
  return app;
}

/** `/v1/agents/{agent_id}` → `/v1/agents/:agent_id` */
function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

const perform =
  ({ run, form: isForm }: Pick<Operation, 'run' | 'form'>): Work =>
  async ({ world, id, request, headers, note }) => {
    const apiKey = await authenticate((name) => request.header(name), world.apiKeys);
    if (isRefusal(apiKey)) return apiKey;
    headers.set('anthropic-workspace-id', apiKey.workspace);
    note({ workspace: apiKey.workspace });
    const admitted = await world.limiter.admit(apiKey.id, request.method);
    if (isRefusal(admitted)) return admitted;
    const params = request.param() as Readonly<Record<string, string>>;
    if (/^sesn_\w{1,64}$/.test(params['session_id'] ?? '')) note({ session: params['session_id'] ?? '' });
    const form = isForm ? await formOf(request.raw) : null;
    const text = isForm ? '' : await request.text();
    if (isTooLarge(text)) return refuse('request_too_large', `body: must have at most ${MAX_BODY_BYTES} bytes`);
    const query = new URL(request.url).searchParams;
    const { workspace, id: key } = apiKey;
    const call = { world, workspace, apiKey: key, note, requestId: id, params, query, text, form };
    const [result] = await Promise.all([run(call), admitted.renewal]);
    return result;
  };

/** Null for a body that is no form. The gateway and Lambda limit its size. */
async function formOf(request: Request): Promise<FormData | null> {
  return request.formData().catch(() => null);
}

/** A response repeats what a request stores, so the body must also fit into a response. */
function isTooLarge(text: string): boolean {
  const bytes = Buffer.byteLength(text);
  return bytes > MAX_BODY_BYTES || (2 * bytes > MAX_CARRIED_BYTES && carriedBytes(text) > MAX_CARRIED_BYTES);
}

const notThere =
  (message: string): Work =>
  () =>
    Promise.resolve(refuse('not_found_error', message));

async function respond(world: ApiWorld, context: Context, route: string, work: Work): Promise<Response> {
  const { req: request } = context;
  return journalRequest(world, { method: request.method, route }, async ({ requestId: id, note }) => {
    const headers = new Headers({ 'content-type': 'application/json', 'request-id': id, ...NOT_KEPT });
    const reply = await answer(work, { world, id, request, headers, note });
    note(reply.fields);
    for (const [name, value] of Object.entries(reply.headers)) headers.set(name, value);
    return new Response(JSON.stringify(reply.body), { status: reply.status, headers });
  });
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly fields: Fields;
}

async function answer(work: Work, answering: Answering): Promise<Reply> {
  try {
    const result = await work(answering);
    if (!isRefusal(result)) return { status: 200, headers: {}, body: result, fields: {} };
    return { ...replyToRefusal(result, answering.id), fields: { error_class: result.type } };
  } catch (error) {
    return { ...replyToFault(error, answering.id), fields: faultFields(error) };
  }
}
