import { randomBytes } from 'node:crypto';
import type { Caller } from './service.ts';

/** What a signed request says about itself: who signed it, and for which service. */
export interface Credential {
  readonly accessKeyId: string;
  readonly service: string;
}

/** The `Credential=…` of a Signature Version 4 header. */
export function readCredential(authorization: string): Credential | null {
  return readScope(/Credential=([^,\s]+)/.exec(authorization)?.[1] ?? '');
}

/** `<access key id>/<date>/<region>/<service>/aws4_request` */
export function readScope(credential: string): Credential | null {
  const [, accessKeyId, service] = /^([^/]+)\/\d{8}\/[^/]+\/([a-z0-9-]+)\/aws4_request$/.exec(credential) ?? [];
  return accessKeyId === undefined || service === undefined ? null : { accessKeyId, service };
}

interface Issued {
  readonly caller: Caller;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Callers {
  issue(caller: Caller): Issued;
  find(accessKeyId: string): Issued | null;
}

/** A presigned URL shows the access key id to its bearer, so an id proves nothing: each request is judged by its signature. */
export function createCallers(): Callers {
  const byWorker = new Map<string, Issued>();
  const byId = new Map<string, Issued>();
  return {
    issue: (caller) => {
      const worker = `${caller.functionName} ${caller.worker}`;
      const known = byWorker.get(worker);
      if (known !== undefined) return known;
      const accessKeyId = `AKIA${randomBytes(10).toString('hex').toUpperCase()}`;
      const issued = { caller, accessKeyId, secretAccessKey: randomBytes(30).toString('base64url') };
      byWorker.set(worker, issued);
      byId.set(accessKeyId, issued);
      return issued;
    },
    find: (accessKeyId) => byId.get(accessKeyId) ?? null,
  };
}
