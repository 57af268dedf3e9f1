/** Changes of an environment. They apply to sessions that are created afterwards. */
import { Environment, type EnvironmentUpdate } from '#contract/environments.ts';
import type { EnvironmentId, Instant, WorkspaceId } from '#contract/ids.ts';
import type { MetadataPatch } from '#contract/metadata.ts';
import { mergeConfig, refusedConfig } from '#core/environments/resolve.ts';
import type { Ports } from '#core/ports/ports.ts';
import { METADATA_TOO_LARGE, patchMetadata } from '#core/requests/patch-metadata.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** The environment itself when nothing changes. */
export function changedEnvironment(
  environment: Environment,
  update: EnvironmentUpdate,
  now: Instant,
): Environment | RequestRefusal {
  if (environment.archived_at !== null) {
    return refuse('invalid_request_error', 'environment_id: is archived', 'environment_archived');
  }
  if (update.config?.type === 'self_hosted') {
    const rule = `config.type: stays "${environment.config.type}"`;
    return refuse('invalid_request_error', rule, 'invalid_config_type_change');
  }
  const config = mergeConfig(environment.config, update.config);
  const metadata = patchMetadata(environment.metadata, emptyAsDelete(update.metadata));
  if (metadata === null) return METADATA_TOO_LARGE;
  const { description } = environment;
  const changed: Environment = {
    ...environment,
    name: update.name ?? environment.name,
    description: update.description === undefined ? description : update.description,
    config,
    metadata,
  };
  if (JSON.stringify(Environment.parse(changed)) === JSON.stringify(environment)) return environment;
  return refusedConfig(config) ?? { ...changed, updated_at: now };
}

/** In environments an empty value deletes the pair, as null does. */
function emptyAsDelete(patch: MetadataPatch | null | undefined): MetadataPatch {
  return Object.fromEntries(Object.entries(patch ?? {}).map(([key, value]) => [key, value === '' ? null : value]));
}

/** Null when there is no such environment. When another request changed it first, the update is decided again. */
export async function updateEnvironment(
  { environments, stamp }: Pick<Ports, 'environments' | 'stamp'>,
  { workspace, id }: { readonly workspace: WorkspaceId; readonly id: EnvironmentId },
  update: EnvironmentUpdate,
): Promise<Environment | RequestRefusal | null> {
  for (;;) {
    const found = await environments.findRevised(workspace, id);
    if (found === null) return null;
    const changed = changedEnvironment(found.environment, update, stamp.now());
    if (changed === found.environment || isRefusal(changed)) return changed;
    const replaced = await environments.replace(workspace, { environment: changed, revision: found.revision });
    if (replaced === 'saved') return changed;
  }
}
