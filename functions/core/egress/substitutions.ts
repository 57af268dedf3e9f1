/**
 * What the egress proxy puts in the place of a sandbox's placeholders. Rows are read with each grant, so a credential that is
 * archived, deleted or rotated is out of force when the proxy asks the next time. An instance reads a secret once for each
 * version of its row.
 */
import type { Reach, SandboxVariable, Substitution } from '#contract/egress.ts';
import type { Credential } from '#contract/credentials.ts';
import type { SessionId, WorkspaceId } from '#contract/ids.ts';
import { createExpiring } from '#core/ports/expiring.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { SecretReader } from '#core/ports/secrets.ts';
import { credentialPlace, type StoredCredential } from '#core/ports/vault-records.ts';
import { placeholderOf } from '#core/egress/placeholder.ts';
import { meets } from '#core/egress/variables.ts';
import { isOfTwoUsers, namedUser } from '#core/vault/named-user.ts';

export interface SubstitutionsWorld extends Pick<Ports, 'vaults' | 'credentials' | 'audit' | 'hmac' | 'nowMs'> {
  readonly secrets: SecretReader;
}

/** A sandbox that has just proved who it is. */
interface SandboxAsking {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  /** `caller` of its connections: it names session and generation. */
  readonly sandbox: string;
  /** The token of its record. */
  readonly token: string;
  /** Both as they were when it started. */
  readonly variables: readonly SandboxVariable[];
  readonly reach: Reach;
}

/** Throws `Fault` `records_unavailable`, `secret_unavailable` and `audit_unavailable`: then nothing is handed out. */
export type Substitutions = (asking: SandboxAsking) => Promise<readonly Substitution[]>;

/** How long an instance uses a secret without reading it again, and hands it out without another record. */
const SECRET_LASTS_MS = 300_000;
const RECORD_LASTS_MS = 600_000;
const MOST_ENTRIES = 1000;

export function createSubstitutions(world: SubstitutionsWorld): Substitutions {
  const { nowMs } = world;
  const secrets = createExpiring<string>(nowMs, MOST_ENTRIES);
  const recorded = createExpiring<true>(nowMs, MOST_ENTRIES);

  async function secretOf(stored: StoredCredential): Promise<string | null> {
    const name = versionName(stored);
    const kept = secrets.find(name);
    if (kept !== undefined) return kept;
    const { secret_value: secret } = await world.secrets.read(credentialPlace(stored), stored.secrets);
    if (secret === undefined) return null;
    secrets.keep(name, secret, nowMs() + SECRET_LASTS_MS);
    return secret;
  }

  /** A grant comes every 30 seconds, so a record stands for those of some minutes; a new version is a new record. */
  async function record(asking: SandboxAsking, { stored, user }: UsableCredential): Promise<void> {
    const name = `${asking.sandbox} ${versionName(stored)}`;
    if (recorded.find(name)) return;
    await world.audit.record(asking.workspace, asking.session, {
      kind: 'secret',
      session: asking.session,
      sandbox: asking.sandbox,
      user,
      vault: stored.credential.vault_id,
      credential: stored.credential.id,
      credential_version: stored.version,
      resource: null,
    });
    recorded.keep(name, true, nowMs() + RECORD_LASTS_MS);
  }

  return async function substitutions(asking) {
    const usable = await usableCredentials(world, asking);
    const answers = usable.map(async (one) => {
      const secret = await secretOf(one.stored);
      if (secret === null) return [];
      await record(asking, one);
      return substitution(world, asking, { stored: one.stored, secret });
    });
    return (await Promise.all(answers)).flat();
  };
}

interface UsableCredential {
  readonly stored: StoredCredential;
  readonly user: string | null;
}

/** The rules of the sandbox's start, judged again. A secret that no host may get is not handed out. */
async function usableCredentials(
  { vaults, credentials }: SubstitutionsWorld,
  { workspace, variables, reach }: SandboxAsking,
): Promise<readonly UsableCredential[]> {
  const found = await Promise.all(variables.map((variable) => credentials.find({ workspace, ...variable })));
  const active = found.flatMap((one) => (one !== null && isUsable(one.credential, reach) ? [one] : []));
  const ids = [...new Set(active.map(({ credential }) => credential.vault_id))];
  const owners = (await Promise.all(ids.map((id) => vaults.find(workspace, id)))).flatMap((vault) => vault ?? []);
  if (isOfTwoUsers(owners)) return [];
  const open = new Set(owners.filter((vault) => vault.archived_at === null).map(({ id }) => id));
  const [user = null] = owners.flatMap((vault) => namedUser(vault) ?? []);
  return active.filter(({ credential }) => open.has(credential.vault_id)).map((stored) => ({ stored, user }));
}

function isUsable({ auth, archived_at: archivedAt }: Credential, reach: Reach): boolean {
  return archivedAt === null && auth.type === 'environment_variable' && meets(auth.networking, reach);
}

function substitution(
  world: Pick<Ports, 'hmac'>,
  { session, token }: SandboxAsking,
  { stored, secret }: { readonly stored: StoredCredential; readonly secret: string },
): readonly Substitution[] {
  const { id: credential, auth } = stored.credential;
  if (auth.type !== 'environment_variable') return [];
  const { networking, injection_location: location } = auth;
  const hosts = networking.type === 'limited' ? networking.allowed_hosts.map((host) => host.toLowerCase()) : null;
  return [
    { credential, placeholder: placeholderOf(world, { session, token, credential }), secret, hosts, ...location },
  ];
}

function versionName({ workspace, credential, version }: StoredCredential): string {
  return `${workspace}/${credential.id}/${version}`;
}
