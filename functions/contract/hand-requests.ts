/** The hands of a session, and passing one to another session; not in the contract, hence `x`. */
import * as z from 'zod';
import { EnvironmentId, HandId, Instant, SessionId, ThreadId } from './ids.ts';

const HandHolder = z.object({
  session_id: SessionId,
  thread_id: ThreadId,
  /** Null for a thread that has had the hand since it began. */
  since: Instant.nullable(),
});

export const SessionHand = z
  .object({
    type: z.literal('hand'),
    id: HandId,
    /** The session whose hand it is: another one for a hand that was passed to this session. */
    session_id: SessionId,
    /** Null for a hand of another session. */
    environment_id: EnvironmentId.nullable(),
    /** Of its sandbox. `none`: no call has needed one. `passed`: it is another session's. */
    status: z.enum(['none', 'starting', 'ready', 'lost', 'failed', 'passed']),
    /** The threads whose sandbox calls go there. */
    holders: z.array(HandHolder),
  })
  .meta({ id: 'SessionHand' });
export type SessionHand = z.infer<typeof SessionHand>;

export const SessionHands = z.object({ data: z.array(SessionHand) }).meta({ id: 'SessionHands' });

export const HandGrantCreate = z.strictObject({ session_id: SessionId }).meta({ id: 'HandGrantCreate' });

export const HandGrant = z
  .object({
    type: z.literal('hand_grant'),
    hand: HandId,
    session_id: SessionId,
    to_session_id: SessionId,
    since: Instant,
  })
  .meta({ id: 'HandGrant' });
export type HandGrant = z.infer<typeof HandGrant>;

export const HandGrantDeleted = z
  .object({ type: z.literal('hand_grant_deleted'), session_id: SessionId, to_session_id: SessionId, hand: HandId })
  .meta({ id: 'HandGrantDeleted' });
