/** Environments that agents of a roster bring for sandboxes of their own. */
import type { Environment } from '#contract/environments.ts';
import { EnvironmentId, type AgentId, type WorkspaceId } from '#contract/ids.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';

interface Named {
  readonly agent: AgentId;
  readonly named: string;
}

export type RosterEnvironments = ReadonlyMap<AgentId, Environment>;

/** Each environment is read once. The first agent that names one which a session cannot have is the refusal. */
export async function rosterEnvironments(
  { environments }: Pick<Ports, 'environments'>,
  workspace: WorkspaceId,
  all: readonly Named[],
): Promise<RosterEnvironments | RequestRefusal> {
  const ids = [...new Set(all.map(({ named }) => named))];
  const found = new Map(
    await Promise.all(
      ids.map(async (id) => {
        const parsed = EnvironmentId.safeParse(id);
        return [id, parsed.success ? await environments.find(workspace, parsed.data) : null] as const;
      }),
    ),
  );
  const brought = all.map(({ agent, named }) => [agent, found.get(named) ?? null] as const);
  const missing = all.find(({ named }) => found.get(named) === null);
  if (missing !== undefined) return refuse('not_found_error', sentence(missing, 'there is no such environment'));
  const archived = all.find(({ named }) => found.get(named)?.archived_at != null);
  if (archived !== undefined) return refuse('invalid_request_error', sentence(archived, 'the environment is archived'));
  return new Map(
    brought.flatMap(([agent, environment]) => (environment === null ? [] : [[agent, environment] as const])),
  );
}

function sentence({ agent, named }: Named, rule: string): string {
  return `agent.multiagent: metadata.brainstem_environment of ${agent}: ${rule} (${JSON.stringify(named)})`;
}
