import { randomBytes } from 'node:crypto';
import type { Caller } from './service.ts';

/** What a signed request says about itself: who signed it, and for which service. */
export interface Credential {
  readonly accessKeyId: string;
  readonly service: string;
}

/** The `Credential=…` of a Signature Version 4 header. */
export function readCredential(authorization: string | undefined): Credential | null {
  return readScope(/Credential=([^,\s]+)/.exec(authorization ?? '')?.[1] ?? '');
}

/** `<access key id>/<date>/<region>/<service>/aws4_request` */
export function readScope(credential: string): Credential | null {
  const [, accessKeyId, service] = /^([^/]+)\/\d{8}\/[^/]+\/([a-z0-9-]+)\/aws4_request$/.exec(credential) ?? [];
  return accessKeyId === undefined || service === undefined ? null : { accessKeyId, service };
}

export interface Callers {
  issue(caller: Caller): { readonly accessKeyId: string; readonly secretAccessKey: string };
  find(accessKeyId: string): Caller | null;
  secretOf(accessKeyId: string): string;
  /** A presigned URL was used, so others than its worker know the id. */
  show(accessKeyId: string): void;
  isShown(accessKeyId: string): boolean;
}

/**
 * The access key id alone proves who calls, and the signature is not verified: the id has 80 random bits, exists only
 * in this process and in the one worker it was issued to, and travels over the loopback interface. Whoever knows it
 * knows the secret key too, so a signature would add work to every call and proof to none. That ends with the first
 * presigned URL of the id: a build of packages uses one before it runs any code of strangers.
 */
export function createCallers(): Callers {
  const callers = new Map<string, Caller>();
  const shown = new Set<string>();
  const secrets = new Map<string, string>();
  const issued = new Map<string, ReturnType<Callers['issue']>>();
  return {
    issue: (caller) => {
      const name = `${caller.functionName} ${caller.worker}`;
      const known = issued.get(name);
      if (known !== undefined) return known;
      const credentials = {
        accessKeyId: `AKIA${randomBytes(10).toString('hex').toUpperCase()}`,
        secretAccessKey: randomBytes(30).toString('base64url'),
      };
      issued.set(name, credentials);
      secrets.set(credentials.accessKeyId, credentials.secretAccessKey);
      callers.set(credentials.accessKeyId, caller);
      return credentials;
    },
    find: (accessKeyId) => callers.get(accessKeyId) ?? null,
    show: (accessKeyId) => void shown.add(accessKeyId),
    isShown: (accessKeyId) => shown.has(accessKeyId),
    secretOf: (accessKeyId) => secrets.get(accessKeyId) ?? '',
  };
}
