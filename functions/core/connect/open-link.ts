/** A visitor opens a link, or presses a button on its page: who may see what, and what the press does. */
import { ConnectId } from '#contract/ids.ts';
import type { Connect } from '#contract/connect.ts';
import type { Audit } from '#core/ports/audit.ts';
import {
  approve,
  planConsent,
  planText,
  type ApproveWorld,
  type ConnectionPlan,
  type PlanWorld,
} from '#core/connect/approve.ts';
import type { ConnectionTrouble } from '#core/ports/authorization-server.ts';
import type { Connection, ConnectionRecords } from '#core/ports/connection-records.ts';
import { isIdentity, type Enterprise } from '#core/vault/enterprise.ts';
import { administration, statusAt } from '#core/connect/connection.ts';
import { settleConnection, type SettleWorld } from '#core/connect/settle-connection.ts';
import type { Visitor } from '#core/connect/visitor.ts';

export interface OpenWorld extends ApproveWorld, SettleWorld, PlanWorld {
  readonly connections: ConnectionRecords;
  readonly credentials: PlanWorld['credentials'] & SettleWorld['credentials'];
  readonly servers: ApproveWorld['servers'] & PlanWorld['servers'];
  readonly audit: Audit;
  readonly enterprise: Enterprise | null;
}

/** What the page's form carries back. */
export interface ConsentForm {
  /** Sealed for this browser and this link, so that no other site can make the browser approve. */
  readonly token: string;
  /** Sealed for the plan that the page showed, so that no other plan can be approved with it. */
  readonly plan: string;
}

export type Opened =
  | { readonly show: 'unknown' }
  | { readonly show: 'login'; readonly id: ConnectId; readonly keeps: boolean }
  /** The visitor is logged in as another user than the link's. */
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
  | {
      readonly show: 'identity';
      readonly record: Connection;
      readonly form: Pick<ConsentForm, 'token'>;
      readonly again: boolean;
    };

export type Pressed = Opened | { readonly show: 'leave'; readonly url: string };

export async function openLink(world: OpenWorld, id: string, visitor: Visitor | null): Promise<Opened> {
  const admitted = await admit(world, id, visitor);
  if (admitted.status === 'turned away') return admitted.page;
  return consent(world, admitted, false);
}

export async function pressApprove(
  world: OpenWorld,
  link: { readonly id: string; readonly visitor: Visitor | null },
  form: ConsentForm,
): Promise<Pressed> {
  const admitted = await admit(world, link.id, link.visitor);
  if (admitted.status === 'turned away') return admitted.page;
  const { record, visitor } = admitted;
  if (isIdentity(world.enterprise, record.server.url)) return agreeToKeep(world, admitted, form);
  const plan = await planConsent(world, record);
  if (plan.status === 'trouble') return inTrouble(world, record, plan);
  const isMeant = await isForm(world, admitted, form.token);
  const isShown = await world.seals.isSeal('plan', planText(record, plan), form.plan);
  if (!isMeant || !isShown) return ask(world, admitted, { plan, again: true });
  const approved = await approve(world, { record, visitor }, plan);
  switch (approved.status) {
    case 'approved':
      return { show: 'leave', url: approved.url };
    case 'over':
      return openLink(world, link.id, visitor);
    case 'trouble':
      return inTrouble(world, record, approved);
    default:
      return approved satisfies never;
  }
}

/** Records only that the identity may be kept: it is known when the user comes back from signing in. */
async function agreeToKeep(
  world: OpenWorld,
  admitted: Admitted,
  { token }: Pick<ConsentForm, 'token'>,
): Promise<Pressed> {
  const { record } = admitted;
  if (!(await isForm(world, admitted, token))) return consent(world, admitted, true);
  await world.audit.record(record.workspace, record.vault, administration(record, { action: 'connect.approved' }));
  return { show: 'login', id: record.id, keeps: true };
}

export async function pressCancel(
  world: OpenWorld,
  link: { readonly id: string; readonly visitor: Visitor | null },
  form: Pick<ConsentForm, 'token'>,
): Promise<Pressed> {
  const admitted = await admit(world, link.id, link.visitor);
  if (admitted.status === 'turned away') return admitted.page;
  const { record } = admitted;
  if (!(await isForm(world, admitted, form.token))) return consent(world, admitted, true);
  await world.audit.record(record.workspace, record.vault, administration(record, { action: 'connect.cancelled' }));
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

/** Only its user learns anything of a link, so the user is identified before all else (`docs/security.md`, Consent). */
async function admit(world: OpenWorld, id: string, visitor: Visitor | null): Promise<Admitted | TurnedAway> {
  const { data } = ConnectId.safeParse(id);
  const found = data === undefined ? null : await world.connections.find(data);
  if (found === null) return turnedAway({ show: 'unknown' });
  if (visitor === null) return turnedAway({ show: 'login', id: found.id, keeps: false });
  if (visitor.user !== found.user) {
    const refused = { action: 'connect.refused', user: visitor.user, denied: 'user_mismatch' } as const;
    await world.audit.record(found.workspace, found.vault, administration(found, refused));
    return turnedAway({ show: 'mismatch', record: found });
  }
  const record = await settleConnection(world, found);
  const status = statusAt(record, world.stamp.now());
  return status === 'pending' ? { status: 'admitted', record, visitor } : turnedAway({ show: 'end', record, status });
}

async function consent(world: OpenWorld, admitted: Admitted, again: boolean): Promise<Opened> {
  if (isIdentity(world.enterprise, admitted.record.server.url)) {
    const form = { token: await world.seals.seal('form', formText(admitted.record, admitted.visitor)) };
    return { show: 'identity', record: admitted.record, form, again };
  }
  const plan = await planConsent(world, admitted.record);
  return plan.status === 'trouble' ? inTrouble(world, admitted.record, plan) : ask(world, admitted, { plan, again });
}

async function ask(
  world: OpenWorld,
  { record, visitor }: Admitted,
  { plan, again }: { readonly plan: ConnectionPlan; readonly again: boolean },
): Promise<Opened> {
  const form = {
    token: await world.seals.seal('form', formText(record, visitor)),
    plan: await world.seals.seal('plan', planText(record, plan)),
  };
  return { show: 'consent', record, plan, form, again };
}

async function inTrouble(world: OpenWorld, record: Connection, trouble: ConnectionTrouble): Promise<Opened> {
  await world.connections.trouble(record.id, trouble.error);
  return { show: 'trouble', record, trouble };
}

function isForm(world: OpenWorld, { record, visitor }: Admitted, token: string): Promise<boolean> {
  return world.seals.isSeal('form', formText(record, visitor), token);
}

function formText({ id }: Connection, { browser }: Visitor): string {
  return `${id}.${browser}`;
}
