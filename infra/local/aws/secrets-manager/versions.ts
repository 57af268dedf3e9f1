import { randomUUID } from 'node:crypto';
import type { Secret, Version } from './store.ts';

export interface NewValue {
  readonly value: string;
  /** Becomes the version's id. @default a new one */
  readonly token?: string | undefined;
  /** @default the current one */
  readonly stages?: readonly string[] | undefined;
}

/** AWS keeps this many versions, and every version that is younger than a day or has a stage. */
const MAX_VERSIONS = 100;
const DAY_MS = 86_400_000;

/** A stage belongs to one version; the version that loses `AWSCURRENT` becomes `AWSPREVIOUS`. */
export function withVersion(secret: Secret, given: NewValue): { readonly secret: Secret; readonly version: Version } {
  const now = Date.now();
  const { value, token: id = randomUUID(), stages: asked = ['AWSCURRENT'] } = given;
  const isFirst = secret.versions.length === 0;
  const stages = isFirst ? [...new Set(['AWSCURRENT', ...asked])] : [...asked];
  const version: Version = { id, value, stages, createdAt: now };
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

export function newSecret(name: string, arn: string): Secret {
  const now = Date.now();
  return { name, arn, createdAt: now, changedAt: now, versions: [] };
}

export function currentVersion(secret: Secret): Version | null {
  return secret.versions.find((version) => version.stages.includes('AWSCURRENT')) ?? null;
}
