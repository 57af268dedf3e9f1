/** One request to the function that streams: refused like any other request, or answered until its stream ends. */
import type { GatewayEvent } from '#contract/gateway.ts';
import { primaryThread, SessionId, ThreadId } from '#contract/ids.ts';
import { StreamQuery } from '#contract/queries.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isPrimary, type LogKey, type LogWatch, type SessionLog } from '#core/ports/session-log.ts';
import { authenticate, type RateLimiter } from '#core/requests/admission.ts';
import { replyToFault, replyToRefusal, type ErrorReply } from '#core/requests/error-envelope.ts';
import { faultFields } from '#core/requests/fault-fields.ts';
import { parseQuery } from '#core/requests/parse.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { API_ROUTES, NOT_KEPT, toRequest, journalRequest, type Fields } from '../http/gateway.ts';
import { joinCrowd, watchPreviews } from './watch-previews.ts';
import { follow, type Followed, type Subscription } from './follow.ts';
import { downloadOf, type DownloadWorld } from './download.ts';
import { errorFrame, frameNames, OPENING, type Sink } from './sink.ts';

interface StreamWorld extends DownloadWorld, Pick<Ports, 'apiKeys' | 'previews' | 'pause' | 'newToken' | 'journal'> {
  readonly log: Pick<SessionLog, 'head' | 'read'> & LogWatch;
  readonly limiter: RateLimiter;
  readonly idleMs: number;
}

/** Sends the status and the headers, and returns the sink of the body. */
type Open = (status: number, headers: Readonly<Record<string, string>>) => Sink;

export async function respond(
  world: StreamWorld,
  event: GatewayEvent,
  out: { open: Open; untilMs: number },
): Promise<void> {
  const { route, answer } = routeOf(event);
  await journalRequest(world, { method: 'GET', route }, async ({ requestId: id, note }) => {
    const { status, ...fields } = await answer(world, event, { ...out, id });
    note(fields);
    return { status };
  });
}

function routeOf({ pathParameters: given }: GatewayEvent) {
  if (given?.['file_id'] !== undefined) return { route: '/v1/files/{file_id}/content', answer: download };
  if (given?.['skill_id'] !== undefined)
    return { route: '/v1/skills/{skill_id}/versions/{version}/content', answer: download };
  const path = given?.['thread_id'] === undefined ? 'events/stream' : 'threads/{thread_id}/stream';
  return { route: `/v1/sessions/{session_id}/${path}`, answer: deliver };
}

/** `status` is the one in the headers. */
type StreamReport = Fields & { readonly status: number };

async function deliver(
  world: StreamWorld,
  event: GatewayEvent,
  { open, untilMs, id }: { readonly open: Open; readonly untilMs: number; readonly id: string },
): Promise<StreamReport> {
  let sink: Sink | null = null;
  try {
    // The subscription stands before the headers go out: clients send their first message once they see them.
    const subscription = await subscribe(world, event);
    if (isRefusal(subscription))
      return refuseRequest(open, replyToRefusal(subscription, id), { error_class: subscription.type });
    const { session } = subscription.key;
    sink = open(200, {
      'content-type': 'text/event-stream',
      ...NOT_KEPT,
      'request-id': id,
      'anthropic-workspace-id': subscription.head.state.workspace,
    });
    await sink.write(OPENING);
    const limits = { untilMs, idleMs: world.idleMs };
    const followed: Followed = await follow({ ...world, nowMs: Date.now }, subscription, { sink, limits });
    sink.end();
    return { status: 200, session, ...followed };
  } catch (error) {
    const reply = replyToFault(error, id);
    if (sink === null) return refuseRequest(open, reply, faultFields(error));
    // The headers are out: their status tells of no error.
    world.journal.metric('RequestErrors', 'Count', 1);
    await sink.write(errorFrame(reply.body));
    sink.end();
    return { status: 200, ended: 'fault', ...faultFields(error) };
  }
}

/** A download that breaks off is shorter than its `content-length`, or lacks its end, so no client takes it for whole. */
async function download(
  world: StreamWorld,
  event: GatewayEvent,
  { open, id }: { readonly open: Open; readonly id: string },
): Promise<StreamReport> {
  let sink: Sink | null = null;
  try {
    const caller = await admit(world, event);
    if (isRefusal(caller)) return refuseRequest(open, replyToRefusal(caller, id), { error_class: caller.type });
    await caller.renewal;
    const found = await downloadOf(world, caller.workspace, event);
    if (isRefusal(found)) return refuseRequest(open, replyToRefusal(found, id), { error_class: found.type });
    const bytes = await found.open();
    sink = open(found.status, {
      ...found.headers,
      ...NOT_KEPT,
      'request-id': id,
      'anthropic-workspace-id': caller.workspace,
    });
    // The status and the headers go out with the first write, and an empty file has none.
    await sink.write('');
    let sent = 0;
    for await (const chunk of bytes) {
      sent += chunk.length;
      await sink.write(chunk);
    }
    sink.end();
    return { status: found.status, bytes: sent };
  } catch (error) {
    if (sink === null) return refuseRequest(open, replyToFault(error, id), faultFields(error));
    sink.end();
    return { status: 200, ended: 'fault', ...faultFields(error) };
  }
}

/** The caller, if the key is one and its limits allow the request. */
async function admit(world: StreamWorld, event: GatewayEvent) {
  const request = toRequest(event, API_ROUTES);
  const apiKey = await authenticate((name) => request.headers.get(name), world.apiKeys);
  if (isRefusal(apiKey)) return apiKey;
  const admitted = await world.limiter.admit(apiKey.id, event.httpMethod);
  return isRefusal(admitted) ? admitted : { ...apiKey, request, renewal: admitted.renewal };
}

async function subscribe(world: StreamWorld, event: GatewayEvent): Promise<Subscription | RequestRefusal> {
  const key = keyOf(event);
  // The head is read beside the key of the caller, because a client waits for both.
  const asked = isRefusal(key) ? null : world.log.head(key);
  asked?.catch(() => undefined);
  const caller = await admit(world, event);
  if (isRefusal(caller)) return caller;
  const { request, workspace } = caller;
  const query = parseQuery(StreamQuery, new URL(request.url).searchParams);
  if (isRefusal(query)) return query;
  if (isRefusal(key)) return key;
  const [head] = await Promise.all([asked, caller.renewal]);
  if (head?.state.workspace !== workspace) return isPrimary(key) ? NO_SESSION : NO_THREAD;
  const watching = { previews: world.previews, nowMs: Date.now };
  const crowd = joinCrowd(watching, key);
  const previews = await watchPreviews(watching, { key, head }, query.event_deltas ?? []);
  return { key, head, crowd, previews, names: frameNames((name) => request.headers.get(name)) };
}

const NO_SESSION = refuse('not_found_error', 'session_id: there is no such session');
const NO_THREAD = refuse('not_found_error', 'thread_id: there is no such thread');

function keyOf({ pathParameters }: GatewayEvent): LogKey | RequestRefusal {
  const session = SessionId.safeParse(pathParameters?.['session_id']);
  if (!session.success) return NO_SESSION;
  const thread = ThreadId.safeParse(pathParameters?.['thread_id'] ?? primaryThread(session.data));
  return thread.success ? { session: session.data, thread: thread.data } : NO_THREAD;
}

function refuseRequest(open: Open, reply: ErrorReply, fields: Fields): StreamReport {
  const headers = {
    'content-type': 'application/json',
    'request-id': reply.body.request_id,
    ...NOT_KEPT,
    ...reply.headers,
  };
  const sink = open(reply.status, headers);
  void sink.write(JSON.stringify(reply.body));
  sink.end();
  return { status: reply.status, ...fields };
}
