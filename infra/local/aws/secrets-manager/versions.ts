import { randomUUID } from 'node:crypto';
import type { Secret, Version } from './store.ts';

export interface NewValue {
  readonly value: string;
  readonly binary: boolean;
  /** The caller's token, which becomes the version's id: a repeat makes no second version. */
  readonly token: string | null;
  readonly stages: readonly string[];
}

/** The secret with one more version; a stage belongs to one version, and the one that loses `AWSCURRENT` is `AWSPREVIOUS`. */
export function withVersion(secret: Secret, given: NewValue): { readonly secret: Secret; readonly version: Version } {
  const now = Date.now();
  const version: Version = {
    id: given.token ?? randomUUID(),
    value: given.value,
    binary: given.binary,
    stages: [...given.stages],
    createdAt: now,
  };
  const takesCurrent = given.stages.includes('AWSCURRENT');
  const older = secret.versions.map((one): Version => {
    const kept = one.stages.filter(
      (stage) => !given.stages.includes(stage) && !(takesCurrent && stage === 'AWSPREVIOUS'),
    );
    const demoted = takesCurrent && one.stages.includes('AWSCURRENT');
    return { ...one, stages: demoted ? [...kept, 'AWSPREVIOUS'] : kept };
  });
  // A version without a stage is deprecated: AWS deletes it when it likes, here it goes at once.
  const staged = older.filter((one) => one.stages.length > 0);
  return { secret: { ...secret, changedAt: now, versions: [...staged, version] }, version };
}

export function newSecret(given: { name: string; arn: string; description: string | null }): Secret {
  const now = Date.now();
  return { ...given, createdAt: now, changedAt: now, deletedAt: null, versions: [] };
}

export function currentVersion(secret: Secret): Version | null {
  return secret.versions.find((version) => version.stages.includes('AWSCURRENT')) ?? null;
}
