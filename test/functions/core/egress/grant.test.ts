/** Who is granted a way out, and what becomes of the proxy's reports. */
import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '#contract/audit.ts';
import type { GrantRequest, SandboxNetwork } from '#contract/egress.ts';
import { CredentialId, mainHand, SessionId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { hmac, sha256 } from '#aws/stamp.ts';
import { callerIn, callerOf, egressToken } from '#core/egress/caller.ts';
import { grant, takeReport, type GrantWorld } from '#core/egress/grant.ts';
import type { ReservedSandbox } from '#core/ports/sandboxes.ts';
import { SANDBOX, SILENT } from '#test/functions/core/given.ts';

const SESSION = SessionId.parse('sesn_1');
const WORKSPACE = WorkspaceId.parse('wrkspc_1');
const NETWORK: SandboxNetwork = { workspace: WORKSPACE, reach: { type: 'unrestricted' }, variables: [] };
const RECORD = {
  ...SANDBOX,
  generation: 2,
  token: 'of the sandbox',
  address: '10.0.0.7:8080',
  network: NETWORK,
} as ReservedSandbox;
const ASKED: GrantRequest = {
  ask: 'grant',
  caller: callerOf({ ...mainHand(SESSION), generation: 2 }),
  token: egressToken({ hmac }, 'of the sandbox'),
  address: '10.0.0.7',
};

function stage(record: ReservedSandbox | null = RECORD) {
  const asked: unknown[] = [];
  const recorded: AuditEntry[] = [];
  const world: GrantWorld = {
    hmac,
    sha256,
    journal: SILENT,
    audit: { record: async (_workspace, _about, entry) => void recorded.push(entry) },
    sandboxes: { find: async ({ session, hand }) => (session === SESSION && hand === 'main' ? record : null) },
    substitutions: async (asking) => (asked.push(asking), []),
    repositoryGrants: async (asking) => (asked.push(asking), []),
  };
  return { world, asked, recorded };
}

describe('a grant', () => {
  it('is for the sandbox that proves who it is', async () => {
    const { world, asked } = stage();
    const granted = { subject: { type: 'session', workspace: WORKSPACE, session: SESSION }, reach: NETWORK.reach };
    expect(await grant(world, ASKED)).toEqual({ status: 'granted', ...granted, substitutions: [], repositories: [] });
    // A sandbox without variables and repositories costs no further read.
    expect(asked).toEqual([]);
  });

  it.each<[string, Partial<GrantRequest>, Partial<ReservedSandbox> | null]>([
    ['another token', { token: egressToken({ hmac }, 'another') }, {}],
    ['the token of the sandbox itself', { token: 'of the sandbox' }, {}],
    ['another generation', { caller: callerOf({ ...mainHand(SESSION), generation: 1 }) }, {}],
    ['another hand', { caller: callerOf({ session: SESSION, hand: 'other', generation: 2 }) }, {}],
    ['another session', { caller: callerOf({ ...mainHand(SessionId.parse('sesn_2')), generation: 2 }) }, {}],
    ['an address that is not the sandbox’s', { address: '10.0.0.8' }, {}],
    ['an address that begins as the sandbox’s does', { address: '10.0.0.77' }, {}],
    ['no name of a sandbox', { caller: 'packages/0a' }, {}],
    ['a sandbox that is lost', {}, { status: 'lost' }],
    ['a sandbox that starts', {}, { status: 'starting' }],
    ['a sandbox that reaches nothing', {}, { network: null }],
    ['a sandbox that was deleted', {}, null],
  ])('is not for %s', async (_what, over, record) => {
    const { world } = stage(record === null ? null : ({ ...RECORD, ...record } as ReservedSandbox));
    expect(await grant(world, { ...ASKED, ...over })).toEqual({ status: 'unknown' });
  });

  it('asks for secrets where the sandbox has variables or repositories', async () => {
    const variables = [{ name: 'KEY', vault: VaultId.parse('vlt_1'), credential: CredentialId.parse('vcrd_1') }];
    const { world, asked } = stage({ ...RECORD, network: { ...NETWORK, variables, hasRepositories: true } });
    await grant(world, ASKED);
    const asking = { workspace: WORKSPACE, session: SESSION, sandbox: 'sesn_1/main/2' };
    expect(asked).toEqual([{ ...asking, token: 'of the sandbox', variables, reach: NETWORK.reach }, asking]);
  });

  it('fails as a whole when a secret cannot be recorded', async () => {
    const { world } = stage({ ...RECORD, network: { ...NETWORK, hasRepositories: true } });
    const failing = { ...world, repositoryGrants: () => Promise.reject(new Error('audit_unavailable')) };
    await expect(grant(failing, ASKED)).rejects.toThrow('audit_unavailable');
  });
});

describe('a caller', () => {
  it.each(['', 'sesn_1', 'sesn_1/main', 'sesn_1/main/x', 'sesn_1/main/1/2', 'sesn_1//1', 'x/main/1', 'sesn_1/ma in/1'])(
    'is not %j',
    (text) => expect(callerIn(text)).toBeNull(),
  );
  it('is what its name says', () => {
    const caller = { session: SESSION, hand: 'hand_2', generation: 12 };
    expect(callerIn(callerOf(caller))).toEqual(caller);
  });
});

describe('a report', () => {
  it('is one record for each use of a session, and a line for a build', async () => {
    const { world, recorded } = stage();
    const lines: unknown[] = [];
    const use = {
      port: 443,
      verdict: 'allowed' as const,
      rule: null,
      connections: 1,
      bytesOut: 2,
      bytesIn: 3,
      secrets: [],
    };
    await takeReport(
      { ...world, journal: { ...SILENT, line: (...line) => void lines.push(line) } },
      {
        ...{ ask: 'report', id: 'r1' },
        uses: [
          { ...use, host: 'a.com', subject: { type: 'session', workspace: WORKSPACE, session: SESSION } },
          { ...use, host: 'b.com', subject: { type: 'packages', archive: '0a' } },
        ],
      },
    );
    const told = { port: 443, verdict: 'allowed', rule: null, connections: 1, bytes_out: 2, bytes_in: 3 };
    expect(recorded).toEqual([
      { kind: 'egress', session: SESSION, user: null, report: 'r1/0', host: 'a.com', ...told, secrets: [] },
    ]);
    expect(lines).toEqual([['egress', { archive: '0a', host: 'b.com', ...told }]]);
  });
});
