/** The pages of a consent as a function from request to response. Lambda is one way to reach them, tests are another. */
import { Hono, type Context } from 'hono';
import { Fault } from '#core/ports/errors.ts';
import { linkUrl } from '#core/connect/connection.ts';
import { openLink, pressApprove, pressCancel, type Opened, type Pressed } from '#core/connect/open-link.ts';
import { clientMetadataDocument } from '#core/connect/registration.ts';
import { faultFields } from '#core/requests/fault-fields.ts';
import { journalRequest } from '../http/journal-request.ts';
import { answer, login } from './come-back.ts';
import type { ConnectWorld } from './connect-world.ts';
import type { PageRequest, Work } from './page-request.ts';
import { startLogin, visitorOf } from './login.ts';
import { identityPage } from './pages/identity-page.ts';
import { consentPage } from './pages/consent-page.ts';
import { endPage, faultPage, leavePage, mismatchPage, troublePage, unknownPage } from './pages/message-page.ts';
import { respondWith, type Reply } from './reply.ts';

type Login = Extract<Opened, { readonly show: 'login' }>;

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
  const { method } = context.req;
  const response = await journalRequest(world, { method, route: path }, async ({ requestId, note }) => {
    const reply = await work({ world, context, requestId, note }).catch((error: unknown) => {
      note(faultFields(error));
      return { page: faultPage(requestId, error instanceof Fault && error.code === 'login_unavailable') };
    });
    return respondWith(reply, world.appName);
  });
  // Cookies were set on the context, so the context makes the response.
  return context.newResponse(response.body, response);
}

async function open(request: PageRequest): Promise<Reply> {
  const { world, context } = request;
  const id = idIn(context);
  if (context.req.query('account') === 'other') {
    const opened = await openLink(world, id, null);
    if (opened.show === 'login') return startLogin(world, context, { connect: opened.id, another: true, keeps: false });
  }
  return shown(request, await openLink(world, id, await visitorOf(world, context)));
}

async function approve(request: PageRequest): Promise<Reply> {
  const { world, context } = request;
  const visitor = await visitorOf(world, context);
  const { token, plan } = await formOf(context);
  return shown(request, await pressApprove(world, { id: idIn(context), visitor }, { token, plan }));
}

async function cancel(request: PageRequest): Promise<Reply> {
  const { world, context } = request;
  const visitor = await visitorOf(world, context);
  const { token } = await formOf(context);
  return shown(request, await pressCancel(world, { id: idIn(context), visitor }, { token }));
}

function idIn(context: Context): string {
  return context.req.param('connect_id') ?? '';
}

async function formOf(context: Context): Promise<{ readonly token: string; readonly plan: string }> {
  const form = new URLSearchParams(await context.req.text());
  return { token: form.get('token') ?? '', plan: form.get('plan') ?? '' };
}

async function shown(request: PageRequest, pressed: Pressed | Opened): Promise<Reply> {
  const { world, requestId, note } = request;
  if ('record' in pressed) note({ connect: pressed.record.id });
  switch (pressed.show) {
    case 'unknown':
      return { page: unknownPage };
    case 'login':
      return loginAfter(request, pressed);
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

/** After a form it is a page that leads on: browsers hold what a form may lead to against redirects, too. */
async function loginAfter({ world, context }: PageRequest, { id, keeps }: Login): Promise<Reply> {
  const { redirect } = await startLogin(world, context, { connect: id, another: false, keeps });
  return keeps ? { page: leavePage(redirect, 'You sign in there.') } : { redirect };
}
