import { randomUUID } from 'node:crypto';
import type { Secret, Version } from './store.ts';

interface NewValue {
  readonly value: string;
  readonly binary: boolean;
  /** The caller's token, which becomes the version's id: a repeat makes no second version. */
  readonly token: string | null;
  readonly stages: readonly string[];
}

/** AWS keeps so many versions, and every one that is younger than a day or has a stage. */
const MAX_VERSIONS = 100;
const DAY_MS = 86_400_000;

/** The secret with one more version; a stage belongs to one version, and the one that loses `AWSCURRENT` is `AWSPREVIOUS`. */
export function withVersion(secret: Secret, given: NewValue): { readonly secret: Secret; readonly version: Version } {
  const now = Date.now();
  const isFirst = secret.versions.length === 0;
  const stages = isFirst ? [...new Set(['AWSCURRENT', ...given.stages])] : [...given.stages];
  const { value, binary } = given;
  const version: Version = { id: given.token ?? randomUUID(), value, binary, stages, createdAt: now };
  const takesCurrent = stages.includes('AWSCURRENT');
  const older = secret.versions.map((one): Version => {
    const kept = one.stages.filter((stage) => !stages.includes(stage) && !(takesCurrent && stage === 'AWSPREVIOUS'));
    const demoted = takesCurrent && one.stages.includes('AWSCURRENT');
    return { ...one, stages: demoted ? [...kept, 'AWSPREVIOUS'] : kept };
  });
  return { secret: { ...secret, changedAt: now, versions: withoutOutdated([...older, version], now) }, version };
}

function withoutOutdated(versions: readonly Version[], now: number): Version[] {
  const newest = versions.length - MAX_VERSIONS;
  return versions.filter(
    ({ stages, createdAt }, index) => index >= newest || stages.length > 0 || now - createdAt < DAY_MS,
  );
}

export function newSecret(given: { name: string; arn: string; description: string | null }): Secret {
  const now = Date.now();
  return { ...given, createdAt: now, changedAt: now, deletedAt: null, versions: [] };
}

export function currentVersion(secret: Secret): Version | null {
  return secret.versions.find((version) => version.stages.includes('AWSCURRENT')) ?? null;
}
