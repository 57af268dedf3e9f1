import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../atomic-file.ts';

const Version = z.object({
  id: z.string(),
  value: z.string(),
  stages: z.array(z.string()),
  createdAt: z.number(),
});
export type Version = z.infer<typeof Version>;

const Secret = z.object({
  name: z.string(),
  arn: z.string(),
  createdAt: z.number(),
  changedAt: z.number(),
  versions: z.array(Version),
});
export type Secret = z.infer<typeof Secret>;

/** Secrets in files that only this user can read, one per secret. */
export interface SecretStore {
  find(nameOrArn: string): Secret | null;
  save(secret: Secret): void;
  remove(secret: Secret): void;
}

export function openSecretStore(dir: string): SecretStore {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const fileOf = (name: string): string => join(dir, `${encodeURIComponent(name)}.json`);
  const names = readdirSync(dir).filter((file) => file.endsWith('.json'));
  const secrets = new Map(
    names.map((file) => {
      const secret = Secret.parse(JSON.parse(readFileSync(join(dir, file), 'utf8')));
      return [secret.name, secret] as const;
    }),
  );
  return {
    find: (nameOrArn) => {
      const given = nameOrArn.replace(/^arn:aws:secretsmanager:[^:]*:\d*:secret:/, '');
      // The ARN may come without the hyphen and six characters that AWS adds to the name.
      const named = secrets.get(given);
      if (named !== undefined) return named;
      const whole = secrets.get(given.slice(0, -7));
      return whole?.arn === nameOrArn ? whole : null;
    },
    save: (secret) => {
      replaceFile(fileOf(secret.name), JSON.stringify(secret), 0o600);
      secrets.set(secret.name, secret);
    },
    remove: (secret) => {
      rmSync(fileOf(secret.name), { force: true });
      secrets.delete(secret.name);
    },
  };
}
