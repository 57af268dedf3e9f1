/**
 * What the egress proxy is told of a caller, and what it tells. A caller is a sandbox that is in use: its token, its
 * generation and the address from which it connects must be those of its record, so a token is worth nothing elsewhere.
 */
import type { EgressReport, Grant, GrantRequest } from '#contract/egress.ts';
import { callerIn, callerOf, egressToken } from '#core/egress/caller.ts';
import type { RepositoryGrants } from '#core/egress/repositories.ts';
import type { Substitutions } from '#core/egress/substitutions.ts';
import type { Ports } from '#core/ports/ports.ts';

export interface GrantWorld extends Pick<Ports, 'hmac' | 'sha256' | 'journal' | 'audit'> {
  readonly sandboxes: Pick<Ports['sandboxes'], 'find'>;
  /** Both record what they hand out before they do. */
  readonly substitutions: Substitutions;
  readonly repositoryGrants: RepositoryGrants;
}

const UNKNOWN = { status: 'unknown' } as const;

export async function grant(world: GrantWorld, asked: GrantRequest): Promise<Grant> {
  const caller = callerIn(asked.caller);
  const record = caller && (await world.sandboxes.find(caller));
  if (caller === null || record?.status !== 'ready' || record.generation !== caller.generation) return UNKNOWN;
  const { network = null, token, address } = record;
  if (network === null || hostIn(address) !== asked.address) return UNKNOWN;
  if (!isSame(world, asked.token, egressToken(world, token))) return UNKNOWN;
  const { workspace, reach, variables, hasRepositories } = network;
  const { session } = caller;
  const asking = { workspace, session, sandbox: callerOf(caller) };
  const [substitutions, repositories] = await Promise.all([
    variables.length === 0 ? [] : world.substitutions({ ...asking, token, variables, reach }),
    hasRepositories ? world.repositoryGrants(asking) : [],
  ]);
  const subject = { type: 'session' as const, workspace, session };
  return { status: 'granted', subject, reach, substitutions: [...substitutions], repositories: [...repositories] };
}

/** Equal hashes are compared, so the time of the comparison tells nothing about the token. */
function isSame({ sha256 }: Pick<Ports, 'sha256'>, one: string, other: string): boolean {
  return sha256(one) === sha256(other);
}

/** Of `host:port`. */
function hostIn(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}

/** One record for each use by a session. A package build belongs to no workspace, so a line of the log tells its uses. */
export async function takeReport({ audit, journal }: Pick<GrantWorld, 'audit' | 'journal'>, report: EgressReport) {
  for (const [index, { subject, bytesOut, bytesIn, ...use }] of report.uses.entries()) {
    if (subject.type === 'packages') {
      const { host, port, verdict, rule, connections } = use;
      const told = { host, port, verdict, rule, connections, bytes_out: bytesOut, bytes_in: bytesIn };
      journal.line('egress', { archive: subject.archive, ...told });
      continue;
    }
    const { workspace, session } = subject;
    const bytes = { bytes_out: bytesOut, bytes_in: bytesIn };
    await audit.record(workspace, session, {
      kind: 'egress',
      session,
      user: null,
      report: `${report.id}/${index}`,
      ...use,
      ...bytes,
    });
  }
}
