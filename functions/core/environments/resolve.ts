/** An environment as it is saved, defaults decided. */
import type { Environment, EnvironmentCreate } from '#contract/environments.ts';
import type { EnvironmentId, Instant } from '#contract/ids.ts';

export function resolveEnvironment(input: EnvironmentCreate, id: EnvironmentId, now: Instant): Environment {
  return {
    id,
    type: 'environment',
    name: input.name,
    description: input.description ?? null,
    config: {
      type: 'cloud',
      networking: { type: 'unrestricted' },
      packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
    },
    metadata: input.metadata ?? {},
    scope: 'organization',
    created_at: now,
    updated_at: now,
    archived_at: null,
  };
}
