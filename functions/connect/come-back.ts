/** The browser comes back: from the identity provider, or from an authorization server. */
import { keepIdentity, takeAnswer, type Taken } from '#core/connect/take-answer.ts';
import { linkUrl } from '#core/connect/connection.ts';
import { redirectTo, type PageRequest } from './page-request.ts';
import { finishLogin, visitorOf } from './login.ts';
import { answerRefusedPage, endPage, loginFailedPage, troublePage } from './pages/message-page.ts';

export async function login(request: PageRequest): Promise<Response> {
  const { world, context, note, show } = request;
  const finished = await finishLogin(world, context);
  if (finished.status === 'failed') return show(loginFailedPage(finished.retryUrl));
  const { connect, user, identity } = finished;
  note({ connect });
  const record = identity === null ? null : await world.connections.find(connect);
  // The link's own page says that the connection is over, or is another user's.
  const kept = identity !== null && record?.user === user ? await keepIdentity(world, record, identity) : null;
  return kept === null ? redirectTo(linkUrl(world.baseUrl, { id: connect })) : showTaken(request, kept);
}

/** RFC 6749 §4.1.2.1, RFC 8707 and OpenID Connect: any other text is of unknown origin, and is neither shown nor logged. */
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

export async function answer(request: PageRequest): Promise<Response> {
  const { world, context } = request;
  const said = (name: string) => context.req.query(name) ?? null;
  const error = said('error');
  const issuer = context.req.param('issuer');
  const taken = await takeAnswer(world, await visitorOf(world, context), {
    url: `${world.baseUrl}/callback${issuer === undefined ? '' : `/${issuer}`}`,
    state: said('state'),
    code: said('code'),
    iss: said('iss'),
    error: error === null || KNOWN_ERRORS.includes(error) ? error : 'unknown',
  });
  return showTaken(request, taken);
}

async function showTaken({ world, requestId, note, show }: PageRequest, taken: Taken): Promise<Response> {
  if (taken.record !== null) note({ connect: taken.record.id });
  switch (taken.status) {
    case 'refused':
      note({ refused: taken.why });
      return show(answerRefusedPage);
    case 'trouble': {
      const { record, trouble } = taken;
      note({ trouble: trouble.error, detail: trouble.detail });
      if (trouble.error === 'access_denied') return show(endPage({ ...record, error: trouble.error }, 'failed'));
      return show(troublePage(trouble.error, requestId, linkUrl(world.baseUrl, record)));
    }
    case 'connected': {
      const { record } = taken;
      return record.returnUrl === null
        ? show(endPage(record, 'completed'))
        : redirectTo(withConnect(record.returnUrl, record.id));
    }
    default:
      return taken satisfies never;
  }
}

/** The program that made the link finds out by its id how the connection ended. */
function withConnect(returnUrl: string, id: string): string {
  const url = new URL(returnUrl);
  url.searchParams.set('connect_id', id);
  return url.href;
}
