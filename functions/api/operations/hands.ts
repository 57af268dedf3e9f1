/** The hands of a session, and passing one to another session; not in the contract, hence `x`. */
import * as z from 'zod';
import type { AuditEntry } from '#contract/audit.ts';
import type { SessionState } from '#contract/entries.ts';
import {
  HandGrant,
  HandGrantCreate,
  HandGrantDeleted,
  SessionHands,
  type SessionHand,
} from '#contract/hand-requests.ts';
import { HandId, mainHand, primaryThread, SessionId, type HandKey } from '#contract/ids.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { HandRecord } from '#core/ports/sandboxes.ts';
import { passHand, takeBackHand } from '#core/session/pass-hand.ts';
import { notFound, operation, ownHead, type Call } from '../operation.ts';

const Params = z.object({ session_id: SessionId });
const HandParams = Params.extend({ hand: HandId });

const list = operation({
  route: 'GET /v1/x/sessions/{session_id}/hands',
  summary: 'List the hands of a session, and which threads hold them',
  params: Params,
  response: SessionHands,
  async handle({ world, workspace, params: { session_id: session } }) {
    const [head, record] = await Promise.all([
      ownHead(world, workspace, session),
      world.sessions.find(workspace, session),
    ]);
    if (head === null || record === null) return notFound('session_id');
    const records = await world.sandboxes.ofSession(session);
    const main = mainHand(session);
    const known = records.some(({ hand }) => hand.hand === main.hand) ? [] : [{ hand: main, record: null }];
    const view = { state: head.state, environment: record.details.environment_id };
    const own = [...known, ...records].map((one) => viewHand(one, view));
    return { data: [...own, ...passedHands(head.state, session)] };
  },
});

interface View {
  readonly state: SessionState;
  readonly environment: SessionHand['environment_id'];
}

function viewHand(
  { hand, record }: { readonly hand: HandKey; readonly record: HandRecord['record'] | null },
  { state, environment }: View,
): SessionHand {
  const { session, hand: id } = hand;
  const isMain = id === mainHand(session).hand;
  const lent = state.lent ?? [];
  // A thread that was passed another hand does not hold its own one meanwhile.
  const isElsewhere = isMain
    ? state.hands?.passed !== undefined
    : lent.some(({ holder, hand: held }) => holder.thread === id && held.hand !== id);
  const thread_id = isMain ? primaryThread(session) : (id as ReturnType<typeof primaryThread>);
  const owner = isElsewhere ? [] : [{ session_id: session, thread_id, since: null }];
  const holders = lent.flatMap(({ holder, hand: held, since }) =>
    held.session === session && held.hand === id
      ? [{ session_id: holder.session, thread_id: holder.thread, since }]
      : [],
  );
  const { status } = record ?? { status: 'planned' as const };
  return {
    ...{ type: 'hand', id, session_id: session, environment_id: record?.environment ?? environment },
    status: status === 'planned' ? 'none' : status,
    holders: [...owner, ...holders],
  };
}

/** The one of another session that this one holds. Its children may hold it, too. */
function passedHands({ hands, lent = [] }: SessionState, session: SessionId): readonly SessionHand[] {
  const own = hands?.passed;
  if (own === undefined) return [];
  const all = [own, ...lent.filter(({ hand }) => hand.session !== session)];
  const holders = all.map(({ holder, since }) => ({ session_id: holder.session, thread_id: holder.thread, since }));
  const { session: session_id, hand: id } = own.hand;
  return [{ type: 'hand', id, session_id, environment_id: null, status: 'passed', holders }];
}

const grant = operation({
  route: 'POST /v1/x/sessions/{session_id}/hands/{hand}/grants',
  summary: 'Pass a hand of a session to another session of the workspace: its sandbox calls go there',
  params: HandParams,
  body: HandGrantCreate,
  response: HandGrant,
  async handle(call) {
    const { session_id, hand } = call.params;
    const to_session_id = call.body.session_id;
    const since = await recorded(call, { action: 'hand.pass', to: to_session_id }, (passing) =>
      passHand(call.world, passing),
    );
    return isRefusal(since) ? since : { type: 'hand_grant' as const, hand, session_id, to_session_id, since };
  },
});

const withdraw = operation({
  route: 'DELETE /v1/x/sessions/{session_id}/hands/{hand}/grants/{to_session_id}',
  summary: 'Take a hand back from another session, whose calls go to its own sandbox again',
  params: HandParams.extend({ to_session_id: SessionId }),
  response: HandGrantDeleted,
  async handle(call) {
    const { session_id, hand, to_session_id } = call.params;
    const held = await recorded(call, { action: 'hand.take_back', to: to_session_id }, async (passing) => {
      const taken = await takeBackHand(call.world, passing);
      return taken === false ? refuse('not_found_error', 'to_session_id: the session does not hold this hand') : taken;
    });
    return isRefusal(held) ? held : { type: 'hand_grant_deleted' as const, hand, session_id, to_session_id };
  },
});

interface Recorded {
  readonly action: 'hand.pass' | 'hand.take_back';
  readonly to: SessionId;
}

type Passing = Parameters<typeof passHand>[1];

/** Acts between two records of the audit trail; without the first one it does not act. */
async function recorded<Done>(
  { world, workspace, apiKey, params, requestId }: Call<z.infer<typeof HandParams>, unknown, unknown>,
  { action, to }: Recorded,
  act: (passing: Passing) => Promise<Done | RequestRefusal>,
): Promise<Done | RequestRefusal> {
  const { session_id: session, hand } = params;
  const noUser = { vault: null, credential: null, connect: null, user: null };
  const record = (outcome: 'requested' | 'done' | 'denied', refused: string | null) => {
    const reason = [`hand ${hand}, session ${to}`, ...(refused === null ? [] : [refused])].join(': ');
    const entry: AuditEntry = { kind: 'administration', action, session, ...noUser, api_key: apiKey, outcome, reason };
    return world.audit.record(workspace, session, entry);
  };
  // A session of another workspace is told like one that does not exist, and this workspace's chain does not name it.
  if ((await ownHead(world, workspace, session)) === null) return notFound('session_id');
  await record('requested', null);
  const done = await act({ workspace, hand: { session, hand }, to, cause: requestId });
  await (isRefusal(done) ? record('denied', `${done.type}: ${done.message}`) : record('done', null));
  return done;
}

export const handOperations = [list, grant, withdraw];
