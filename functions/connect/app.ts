/** The pages of a consent as a function from request to response. Lambda is one way to reach them, tests are another. */
import { Hono, type Context } from 'hono';
import { Fault } from '#core/errors.ts';
import { linkUrl } from '#core/connect/link.ts';
import { openLink, pressApprove, pressCancel, type Opened, type Pressed } from '#core/connect/open-link.ts';
import { clientMetadataDocument } from '#core/connect/registration.ts';
import { keepIdentity } from '#core/connect/keep-identity.ts';
import { takeAnswer, type Taken } from '#core/connect/take-answer.ts';
import { faultFields } from '#core/requests/fault-fields.ts';
import type { ConnectWorld } from './connect-world.ts';
import { finishLogin, startLogin, visitorOf } from './login.ts';
import { identityPage } from './pages/identity-page.ts';
import { consentPage } from './pages/consent-page.ts';
import {
  answerRefusedPage,
  endPage,
  faultPage,
  leavePage,
  mismatchPage,
  troublePage,
  unknownPage,
} from './pages/message-page.ts';
import { respondWith, type Reply } from './reply.ts';

type Fields = Readonly<Record<string, string | number>>;

/** One request, while it is answered. */
interface Exchange {
  readonly world: ConnectWorld;
  readonly context: Context;
  readonly requestId: string;
  readonly note: (fields: Fields) => void;
}

type Work = (exchange: Exchange) => Promise<Reply>;

/** A literal segment stands before the parameter it could be taken for. */
const ROUTES: readonly (readonly [method: 'GET' | 'POST', path: string, work: Work])[] = [
  ['GET', '/connect/client-metadata.json', ({ world }) => Promise.resolve({ document: clientMetadataDocument(world) })],
  ['GET', '/connect/login/callback', login],
  ['GET', '/connect/callback', answer],
  ['GET', '/connect/:connect_id', open],
  ['POST', '/connect/:connect_id/approve', approve],
  ['POST', '/connect/:connect_id/cancel', cancel],
];

export function createConnectApp(world: ConnectWorld): Hono {
  const app = new Hono();
  for (const [method, path, work] of ROUTES) {
    app.on(method, path, (context) => respond(world, context, { path, work }));
  }
  app.notFound((context) => respond(world, context, { path: 'unknown', work: async () => ({ page: unknownPage }) }));
  return app;
}

async function respond(
  world: ConnectWorld,
  context: Context,
  { path, work }: { readonly path: string; readonly work: Work },
): Promise<Response> {
  const began = performance.now();
  const requestId = `req_${world.newToken()}`;
  const fields: Record<string, string | number> = {};
  const note = (added: Fields) => void Object.assign(fields, added);
  const reply = await work({ world, context, requestId, note }).catch((error: unknown) => {
    note(faultFields(error));
    return { page: faultPage(requestId, error instanceof Fault && error.code === 'login_unavailable') };
  });
  const response = await respondWith(reply, world.appName);
  const { status } = response;
  const line = { request_id: requestId, method: context.req.method, route: path, status };
  world.journal.line('request', { ...line, ...fields, duration_ms: Math.round(performance.now() - began) });
  if (status >= 500) world.journal.metric('RequestErrors', 'Count', 1);
  // Cookies were set on the context, so the context makes the response.
  return context.newResponse(response.body, response);
}

async function open(exchange: Exchange): Promise<Reply> {
  const { world, context } = exchange;
  const id = idIn(context);
  if (context.req.query('account') === 'other') {
    const opened = await openLink(world, id, null);
    if (opened.show === 'login') return startLogin(world, context, { connect: opened.id, another: true, keeps: false });
  }
  return shown(exchange, await openLink(world, id, await visitorOf(world, context)));
}

async function login(exchange: Exchange): Promise<Reply> {
  const { world, context, note } = exchange;
  const finished = await finishLogin(world, context);
  if (!('identity' in finished)) return finished;
  const { connect, visitor, identity } = finished;
  note({ connect });
  const record = await world.connects.find(connect);
  // The link's own page says that it is over, or for somebody else.
  const kept = record?.user === visitor.user ? await keepIdentity(world, record, identity) : null;
  return kept === null ? { redirect: linkUrl(world.baseUrl, { id: connect }) } : takenReply(exchange, kept);
}

async function approve(exchange: Exchange): Promise<Reply> {
  const { world, context } = exchange;
  const visitor = await visitorOf(world, context);
  const { token, plan } = await formOf(context);
  return shown(exchange, await pressApprove(world, { id: idIn(context), visitor }, { token, plan }));
}

async function cancel(exchange: Exchange): Promise<Reply> {
  const { world, context } = exchange;
  const visitor = await visitorOf(world, context);
  const { token } = await formOf(context);
  return shown(exchange, await pressCancel(world, { id: idIn(context), visitor }, { token }));
}

function idIn(context: Context): string {
  return context.req.param('connect_id') ?? '';
}

async function formOf(context: Context): Promise<{ readonly token: string; readonly plan: string }> {
  const form = new URLSearchParams(await context.req.text());
  return { token: form.get('token') ?? '', plan: form.get('plan') ?? '' };
}

async function shown({ world, context, requestId, note }: Exchange, pressed: Pressed | Opened): Promise<Reply> {
  if ('record' in pressed) note({ connect: pressed.record.id });
  switch (pressed.show) {
    case 'unknown':
      return { page: unknownPage };
    case 'login':
      return startLogin(world, context, { connect: pressed.id, another: false, keeps: pressed.keeps });
    case 'mismatch':
      note({ refused: 'user_mismatch' });
      return { page: mismatchPage(linkUrl(world.baseUrl, pressed.record)) };
    case 'end':
      return { page: endPage(pressed.record, pressed.status) };
    case 'trouble': {
      const { error, detail } = pressed.trouble;
      note({ trouble: error, detail });
      return { page: troublePage(error, requestId, linkUrl(world.baseUrl, pressed.record)) };
    }
    case 'consent':
      return { page: consentPage({ ...pressed, linkUrl: linkUrl(world.baseUrl, pressed.record) }) };
    case 'identity':
      return { page: identityPage({ ...pressed, linkUrl: linkUrl(world.baseUrl, pressed.record) }) };
    case 'leave':
      return { page: leavePage(pressed.url) };
    default:
      return pressed satisfies never;
  }
}

/** RFC 6749 §4.1.2.1, RFC 8707 and OpenID Connect: any other text is a stranger's and says nothing to us. */
const KNOWN_ERRORS: readonly string[] = [
  'access_denied',
  'invalid_request',
  'unauthorized_client',
  'unsupported_response_type',
  'invalid_scope',
  'invalid_target',
  'server_error',
  'temporarily_unavailable',
  'login_required',
  'consent_required',
  'interaction_required',
];

async function answer(exchange: Exchange): Promise<Reply> {
  const { world, context, note } = exchange;
  const said = (name: string) => context.req.query(name) ?? null;
  const error = said('error');
  const taken = await takeAnswer(world, await visitorOf(world, context), {
    state: said('state'),
    code: said('code'),
    iss: said('iss'),
    error: error === null || KNOWN_ERRORS.includes(error) ? error : 'unknown',
  });
  if ('record' in taken) note({ connect: taken.record.id });
  return takenReply(exchange, taken);
}

function takenReply({ world, requestId, note }: Exchange, taken: Taken): Reply {
  switch (taken.status) {
    case 'refused':
      note({ refused: taken.why });
      return { page: answerRefusedPage };
    case 'trouble': {
      const { record, trouble } = taken;
      note({ trouble: trouble.error, detail: trouble.detail });
      if (trouble.error === 'access_denied') return { page: endPage({ ...record, error: trouble.error }, 'failed') };
      return { page: troublePage(trouble.error, requestId, linkUrl(world.baseUrl, record)) };
    }
    case 'connected': {
      const { record } = taken;
      return record.returnUrl === null
        ? { page: endPage(record, 'completed') }
        : { redirect: withConnect(record.returnUrl, record.id) };
    }
    default:
      return taken satisfies never;
  }
}

/** Whoever made the link finds out what became of it by its id. */
function withConnect(returnUrl: string, id: string): string {
  const url = new URL(returnUrl);
  url.searchParams.set('connect_id', id);
  return url.href;
}
