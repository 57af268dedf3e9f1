/** An environment as it is saved: every default is decided. */
import type {
  CloudConfig,
  CloudInput,
  Environment,
  EnvironmentCreate,
  Networking,
  NetworkingInput,
  Packages,
  PackagesInput,
} from '#contract/environments.ts';
import type { EnvironmentId, Instant } from '#contract/ids.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

const DEFAULT: CloudConfig = {
  type: 'cloud',
  networking: { type: 'unrestricted' },
  packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
};

export function resolveEnvironment(
  input: EnvironmentCreate,
  id: EnvironmentId,
  now: Instant,
): Environment | RequestRefusal {
  const config = mergeConfig(DEFAULT, input.config);
  return (
    refusedConfig(config) ?? {
      id,
      type: 'environment',
      name: input.name,
      description: input.description ?? null,
      config,
      metadata: input.metadata ?? {},
      scope: 'organization',
      created_at: now,
      updated_at: now,
      archived_at: null,
    }
  );
}

/** A field that is omitted or null, at any depth, keeps its value. */
export function mergeConfig(saved: CloudConfig, input: CloudInput | null | undefined): CloudConfig {
  return {
    type: saved.type,
    networking: mergeNetworking(saved.networking, input?.networking),
    packages: mergePackages(saved.packages, input?.packages),
  };
}

/** Package managers fetch from registries, which limited networking reaches only with `allow_package_managers`. */
export function refusedConfig({ networking, packages }: CloudConfig): RequestRefusal | null {
  if (networking.type === 'unrestricted' || networking.allow_package_managers) return null;
  const { type: _type, ...lists } = packages;
  return Object.values(lists).every((names) => names.length === 0)
    ? null
    : refuse('invalid_request_error', 'config.networking.allow_package_managers: must be true to install packages');
}

function mergeNetworking(saved: Networking, input: NetworkingInput | null | undefined): Networking {
  if (input === null || input === undefined) return saved;
  if (input.type === 'unrestricted') return { type: 'unrestricted' };
  const before = saved.type === 'limited' ? saved : null;
  return {
    type: 'limited',
    allowed_hosts: input.allowed_hosts ?? before?.allowed_hosts ?? [],
    allow_mcp_servers: input.allow_mcp_servers ?? before?.allow_mcp_servers ?? false,
    allow_package_managers: input.allow_package_managers ?? before?.allow_package_managers ?? false,
  };
}

function mergePackages(saved: Packages, input: PackagesInput | null | undefined): Packages {
  return {
    type: 'packages',
    apt: input?.apt ?? saved.apt,
    cargo: input?.cargo ?? saved.cargo,
    gem: input?.gem ?? saved.gem,
    go: input?.go ?? saved.go,
    npm: input?.npm ?? saved.npm,
    pip: input?.pip ?? saved.pip,
  };
}
