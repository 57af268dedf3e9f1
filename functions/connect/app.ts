/** The pages on which a user connects a server: a function from request to response, for Lambda and for tests. */
import { Hono, type Context } from 'hono';
import { Fault } from '#core/ports/errors.ts';
import { linkUrl } from '#core/connect/connection.ts';
import { openLink, pressApprove, pressCancel, type Pressed } from '#core/connect/open-link.ts';
import { clientMetadataDocument } from '#core/connect/registration.ts';
import { faultFields } from '#core/requests/fault-fields.ts';
import { journalRequest } from '../http/gateway.ts';
import { answer, login } from './come-back.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import { startLogin, visitorOf } from './login.ts';
import { redirectTo, type PageRequest } from './page-request.ts';
import { consentPage, identityPage } from './pages/consent-page.ts';
import { endPage, faultPage, leavePage, mismatchPage, troublePage, unknownPage } from './pages/message-page.ts';
import { respondPage, type Page } from './pages/page.ts';

type Route = readonly [method: 'GET' | 'POST', path: string, work: (request: PageRequest) => Promise<Response>];

/** A literal segment stands before the parameter for which it could be taken. */
const ROUTES: readonly Route[] = [
  ['GET', '/connect/client-metadata.json', describeClient],
  ['GET', '/connect/login/callback', login],
  ['GET', '/connect/callback', answer],
  ['GET', '/connect/callback/:issuer', answer],
  ['GET', '/connect/:connect_id', open],
  ['POST', '/connect/:connect_id/approve', approve],
  ['POST', '/connect/:connect_id/cancel', cancel],
];

export function createConnectApp(world: ConnectWorld): Hono {
  const app = new Hono();
  for (const [method, path, work] of ROUTES) app.on(method, path, (context) => respond(world, context, { path, work }));
  app.notFound((context) => respond(world, context, { path: 'unknown', work: ({ show }) => show(unknownPage) }));
  return app;
}

async function respond(
  world: ConnectWorld,
  context: Context,
  { path, work }: { readonly path: string; readonly work: Route[2] },
): Promise<Response> {
  const { method } = context.req;
  const show = (page: Page) => respondPage(world.appName, page);
  const response = await journalRequest(world, { method, route: path }, ({ requestId, note }) =>
    work({ world, context, requestId, note, show }).catch((error: unknown) => {
      note(faultFields(error));
      return show(faultPage(requestId, error instanceof Fault && error.code === 'login_unavailable'));
    }),
  );
  // Cookies were set on the context, so the context makes the response.
  return context.newResponse(response.body, response);
}

/** Authorization servers may keep what the service says of itself for a while. */
async function describeClient({ world }: PageRequest): Promise<Response> {
  return Response.json(clientMetadataDocument(world), { headers: { 'cache-control': 'public, max-age=300' } });
}

async function open(request: PageRequest): Promise<Response> {
  const { world, context } = request;
  const id = idIn(context);
  if (context.req.query('account') === 'other') {
    const opened = await openLink(world, id, null);
    if (opened.show === 'login') {
      return redirectTo(await startLogin(world, context, { connect: opened.record.id, another: true, keeps: false }));
    }
  }
  return showPressed(request, await openLink(world, id, await visitorOf(world, context)));
}

async function approve(request: PageRequest): Promise<Response> {
  const { world, context } = request;
  const visitor = await visitorOf(world, context);
  return showPressed(request, await pressApprove(world, { id: idIn(context), visitor }, await formOf(context)));
}

async function cancel(request: PageRequest): Promise<Response> {
  const { world, context } = request;
  const visitor = await visitorOf(world, context);
  return showPressed(request, await pressCancel(world, { id: idIn(context), visitor }, await formOf(context)));
}

function idIn(context: Context): string {
  return context.req.param('connect_id') ?? '';
}

async function formOf(context: Context): Promise<{ readonly token: string; readonly plan: string }> {
  const form = new URLSearchParams(await context.req.text());
  return { token: form.get('token') ?? '', plan: form.get('plan') ?? '' };
}

async function showPressed(
  { world, context, requestId, note, show }: PageRequest,
  pressed: Pressed,
): Promise<Response> {
  if (pressed.record === null) return show(unknownPage);
  note({ connect: pressed.record.id });
  const url = linkUrl(world.baseUrl, pressed.record);
  switch (pressed.show) {
    case 'login': {
      const { record, keeps } = pressed;
      const loginUrl = await startLogin(world, context, { connect: record.id, another: false, keeps });
      // Browsers apply `form-action` to redirects after a form, so the form leads to a page that leads on.
      return keeps ? show(leavePage(loginUrl, 'You sign in there.')) : redirectTo(loginUrl);
    }
    case 'mismatch':
      note({ refused: 'user_mismatch' });
      return show(mismatchPage(url));
    case 'end':
      return show(endPage(pressed.record, pressed.status));
    case 'trouble': {
      const { error, detail } = pressed.trouble;
      note({ trouble: error, detail });
      return show(troublePage(error, requestId, url));
    }
    case 'consent':
      return show(consentPage({ ...pressed, linkUrl: url }));
    case 'identity':
      return show(identityPage({ ...pressed, linkUrl: url }));
    case 'leave':
      return show(leavePage(pressed.url));
    default:
      return pressed satisfies never;
  }
}
