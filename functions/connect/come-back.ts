/** The browser comes back: from the identity provider, or from an authorization server. */
import { keepIdentity, takeAnswer, type Taken } from '#core/connect/take-answer.ts';
import { linkUrl } from '#core/connect/connection.ts';
import type { PageRequest } from './page-request.ts';
import { finishLogin, visitorOf } from './login.ts';
import { answerRefusedPage, endPage, troublePage } from './pages/message-page.ts';
import type { Reply } from './reply.ts';

export async function login(request: PageRequest): Promise<Reply> {
  const { world, context, note } = request;
  const finished = await finishLogin(world, context);
  if (!('identity' in finished)) return finished;
  const { connect, visitor, identity } = finished;
  note({ connect });
  const record = await world.connections.find(connect);
  // The link's own page says that it is over, or for another user.
  const kept = record?.user === visitor.user ? await keepIdentity(world, record, identity) : null;
  return kept === null ? { redirect: linkUrl(world.baseUrl, { id: connect }) } : takenReply(request, kept);
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

export async function answer(request: PageRequest): Promise<Reply> {
  const { world, context, note } = request;
  const said = (name: string) => context.req.query(name) ?? null;
  const error = said('error');
  const taken = await takeAnswer(world, await visitorOf(world, context), {
    state: said('state'),
    code: said('code'),
    iss: said('iss'),
    error: error === null || KNOWN_ERRORS.includes(error) ? error : 'unknown',
  });
  if ('record' in taken) note({ connect: taken.record.id });
  return takenReply(request, taken);
}

function takenReply({ world, requestId, note }: PageRequest, taken: Taken): Reply {
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

/** The program that made the link finds out by its id what became of it. */
function withConnect(returnUrl: string, id: string): string {
  const url = new URL(returnUrl);
  url.searchParams.set('connect_id', id);
  return url.href;
}
