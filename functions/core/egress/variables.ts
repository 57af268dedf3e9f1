/**
 * The variables of a sandbox: the credentials of kind `environment_variable` in its session's vaults, as they are when it
 * starts. Their secrets are read later, each time that the egress proxy asks (`substitutions.ts`).
 */
import type { CredentialAuth } from '#contract/credentials.ts';
import type { Reach, SandboxVariable } from '#contract/egress.ts';
import type { SessionErrorBody } from '#contract/events.ts';
import type { VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Vault } from '#contract/vaults.ts';
import { covers } from '#core/outbound/destination.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { StoredCredential } from '#core/ports/vault-records.ts';
import { isOfTwoUsers } from '#core/vault/named-user.ts';

type VariableAuth = Extract<CredentialAuth, { type: 'environment_variable' }>;

/** The record of a sandbox holds them all, and so does each request to it. */
export const MAX_VARIABLES = 100;

/**
 * The first of the vaults in which a name occurs decides it, as with MCP servers. Vaults of two users give nothing, because
 * it is not known for which user the session acts. A session without vaults costs no read.
 */
export async function chooseVariables(
  { vaults, credentials }: Pick<Ports, 'vaults' | 'credentials'>,
  session: { readonly workspace: WorkspaceId; readonly vaults: readonly VaultId[] },
  reach: Reach,
): Promise<readonly SandboxVariable[]> {
  const { workspace } = session;
  const found = await Promise.all(
    session.vaults.map(async (id) => {
      const stored = await credentials.active(workspace, id, 'environment_variable');
      // Read after them: the user of a vault cannot change while the vault holds a credential.
      return { vault: await vaults.find(workspace, id), stored };
    }),
  );
  if (isOfTwoUsers(found.flatMap(({ vault }) => vault ?? []))) return [];
  const offered = found.flatMap(({ vault, stored }) => (isOpen(vault) ? stored.toSorted(byCreation) : []));
  const named = offered.flatMap((stored) => variableOf(stored, reach));
  return firstOfEachName(named).slice(0, MAX_VARIABLES);
}

function variableOf({ credential }: StoredCredential, reach: Reach): readonly SandboxVariable[] {
  const { id, vault_id: vault, auth } = credential;
  if (auth.type !== 'environment_variable') return [];
  const variable = { name: auth.secret_name, vault, credential: id };
  return [meets(auth.networking, reach) ? variable : { ...variable, unreachable: true }];
}

function firstOfEachName(variables: readonly SandboxVariable[]): readonly SandboxVariable[] {
  return [...Map.groupBy(variables, ({ name }) => name).values()].flatMap(([first]) => first ?? []);
}

function isOpen(vault: Vault | null): boolean {
  return vault !== null && vault.archived_at === null;
}

function byCreation({ credential: a }: StoredCredential, { credential: b }: StoredCredential): number {
  return a.created_at === b.created_at ? (a.id < b.id ? -1 : 1) : a.created_at < b.created_at ? -1 : 1;
}

/** What people are told of variables that no host of the sandbox may get. */
export function unreachableErrors(variables: readonly SandboxVariable[]): readonly SessionErrorBody[] {
  return variables.flatMap(({ name, vault, credential, unreachable }) => {
    if (unreachable === undefined) return [];
    return [
      {
        type: 'credential_host_unreachable_error',
        credential_id: credential,
        vault_id: vault,
        message:
          `The secret of the variable ${name} reaches no host: the session's environment allows none of the hosts that ` +
          "the credential allows. Programs that send the variable send its placeholder. The environment's networking " +
          "decides for sandboxes that start later; the deployment's option network.max may allow less.",
        retry_status: { type: 'retrying' },
      },
    ];
  });
}

/** Whether there can be a host to which the secret may go and which the sandbox reaches. */
export function meets(networking: VariableAuth['networking'], reach: Reach): boolean {
  if (reach.type === 'none') return false;
  if (reach.type === 'unrestricted') return true;
  if (networking.type === 'unrestricted') return reach.hosts.length > 0;
  const hosts = networking.allowed_hosts.map((host) => host.toLowerCase());
  return hosts.some((host) => reach.hosts.some((reached) => overlap(host, reached)));
}

/** Whether some host is covered by both. */
function overlap(a: string, b: string): boolean {
  if (a === b) return true;
  return covers(a, exampleOf(b)) || covers(b, exampleOf(a));
}

/** A host that the pattern covers, and that each wider pattern covers too. */
function exampleOf(pattern: string): string {
  return pattern.replace(/^\*\./, 'x.');
}
