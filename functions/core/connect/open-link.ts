/** A visitor opens the link of a connection, or presses a button on its page: what they may see, and what the press does. */
import { ConnectId } from '#contract/ids.ts';
import type { Connect } from '#contract/connect.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import { approve, planConsent, planText, type ConnectionPlan } from '#core/connect/approve.ts';
import type { ConnectionTrouble } from '#core/ports/authorization-server.ts';
import type { Connection } from '#core/ports/connection-records.ts';
import { isIdentity } from '#core/vault/enterprise.ts';
import { recordStep, statusAt } from '#core/connect/connection.ts';
import { settleConnection } from '#core/connect/settle-connection.ts';
import type { Visitor } from '#core/connect/visitor.ts';

/** What the page's form carries back. */
export interface ConsentForm {
  /** Sealed for this browser and this connection, so that no other site can make the browser approve. */
  readonly token: string;
  /** Sealed for the plan that the page showed, so that no other plan can be approved with it; empty without a plan. */
  readonly plan: string;
}

type Opened =
  | { readonly show: 'unknown'; readonly record: null }
  | { readonly show: 'login'; readonly record: Connection; readonly keeps: boolean }
  /** The visitor is not the connection's user. */
  | { readonly show: 'mismatch'; readonly record: Connection }
  | { readonly show: 'end'; readonly record: Connection; readonly status: Exclude<Connect['status'], 'pending'> }
  | { readonly show: 'trouble'; readonly record: Connection; readonly trouble: ConnectionTrouble }
  | {
      readonly show: 'consent';
      readonly record: Connection;
      readonly plan: ConnectionPlan;
      readonly form: ConsentForm;
      /** The page is shown again because the plan has changed, or because the form's token is not valid. */
      readonly again: boolean;
    }
  /** The page asks the user to sign in, so that the identity can be kept. */
  | { readonly show: 'identity'; readonly record: Connection; readonly form: ConsentForm; readonly again: boolean };

export type Pressed = Opened | { readonly show: 'leave'; readonly record: Connection; readonly url: string };

interface OpenedBy {
  readonly id: string;
  readonly visitor: Visitor | null;
}

export async function openLink(world: ConnectWorld, id: string, visitor: Visitor | null): Promise<Opened> {
  const admitted = await admit(world, { id, visitor });
  return admitted.status === 'turned away' ? admitted.page : askConsent(world, admitted, false);
}

export async function pressApprove(world: ConnectWorld, link: OpenedBy, form: ConsentForm): Promise<Pressed> {
  const admitted = await admit(world, link);
  if (admitted.status === 'turned away') return admitted.page;
  const { record, visitor } = admitted;
  const isMeant = await isForm(world, admitted, form.token);
  if (isIdentity(world.enterprise, record.server.url)) {
    if (!isMeant) return askConsent(world, admitted, true);
    // The user comes back from signing in with the identity that may then be kept.
    await recordStep(world, record, { action: 'connect.approved' });
    return { show: 'login', record, keeps: true };
  }
  const plan = await planConsent(world, record);
  if (plan.status === 'trouble') return inTrouble(world, record, plan);
  const isShown = await world.seals.isSeal('plan', planText(record, plan), form.plan);
  if (!isMeant || !isShown) return askAbout(world, admitted, { plan, again: true });
  const approved = await approve(world, { record, visitor }, plan);
  switch (approved.status) {
    case 'approved':
      return { show: 'leave', record, url: approved.url };
    case 'over':
      return openLink(world, link.id, visitor);
    case 'trouble':
      return inTrouble(world, record, approved);
    default:
      return approved satisfies never;
  }
}

export async function pressCancel(
  world: ConnectWorld,
  link: OpenedBy,
  form: Pick<ConsentForm, 'token'>,
): Promise<Pressed> {
  const admitted = await admit(world, link);
  if (admitted.status === 'turned away') return admitted.page;
  const { record } = admitted;
  if (!(await isForm(world, admitted, form.token))) return askConsent(world, admitted, true);
  await recordStep(world, record, { action: 'connect.cancelled' });
  await world.connections.fail(record.id, 'cancelled', world.stamp.now());
  return openLink(world, record.id, admitted.visitor);
}

interface Admitted {
  readonly status: 'admitted';
  readonly record: Connection;
  readonly visitor: Visitor;
}

interface TurnedAway {
  readonly status: 'turned away';
  readonly page: Opened;
}

const turnedAway = (page: Opened): TurnedAway => ({ status: 'turned away', page });

/** Only its user learns anything of a connection, so the user is identified first (`docs/security.md`, Consent). */
async function admit(world: ConnectWorld, { id, visitor }: OpenedBy): Promise<Admitted | TurnedAway> {
  const { data } = ConnectId.safeParse(id);
  const found = data === undefined ? null : await world.connections.find(data);
  if (found === null) return turnedAway({ show: 'unknown', record: null });
  if (visitor === null) return turnedAway({ show: 'login', record: found, keeps: false });
  if (visitor.user !== found.user) {
    const refused = { action: 'connect.refused', user: visitor.user, denied: 'user_mismatch' } as const;
    await recordStep(world, found, refused);
    return turnedAway({ show: 'mismatch', record: found });
  }
  const record = await settleConnection(world, found);
  const status = statusAt(record, world.stamp.now());
  return status === 'pending' ? { status: 'admitted', record, visitor } : turnedAway({ show: 'end', record, status });
}

async function askConsent(world: ConnectWorld, admitted: Admitted, again: boolean): Promise<Opened> {
  const { record } = admitted;
  if (isIdentity(world.enterprise, record.server.url)) {
    return { show: 'identity', record, form: { token: await formToken(world, admitted), plan: '' }, again };
  }
  const plan = await planConsent(world, record);
  return plan.status === 'trouble' ? inTrouble(world, record, plan) : askAbout(world, admitted, { plan, again });
}

async function askAbout(
  world: ConnectWorld,
  admitted: Admitted,
  { plan, again }: { readonly plan: ConnectionPlan; readonly again: boolean },
): Promise<Opened> {
  const { record } = admitted;
  const sealed = await world.seals.seal('plan', planText(record, plan));
  return { show: 'consent', record, plan, form: { token: await formToken(world, admitted), plan: sealed }, again };
}

async function inTrouble(world: ConnectWorld, record: Connection, trouble: ConnectionTrouble): Promise<Opened> {
  await world.connections.trouble(record.id, trouble.error);
  return { show: 'trouble', record, trouble };
}

const formText = ({ record, visitor }: Admitted) => `${record.id}.${visitor.browser}`;

function formToken({ seals }: ConnectWorld, admitted: Admitted): Promise<string> {
  return seals.seal('form', formText(admitted));
}

function isForm({ seals }: ConnectWorld, admitted: Admitted, token: string): Promise<boolean> {
  return seals.isSeal('form', formText(admitted), token);
}
