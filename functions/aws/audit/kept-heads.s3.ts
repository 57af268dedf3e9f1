/**
 * The newest signed heads of each workspace: one object each. The bucket keeps and locks every version, so an object that
 * is replaced or deleted stays there beside the newer one.
 */
import {
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  paginateListObjectsV2,
  S3ServiceException,
  type S3Client,
} from '@aws-sdk/client-s3';
import { SignedAuditHeads } from '#contract/audit.ts';
import { WorkspaceId } from '#contract/ids.ts';
import type { KeptHeads } from '#core/ports/audit.ts';
import { Fault } from '#core/ports/errors.ts';

/** Another write was faster (412), or is under way (409). */
const CONFLICTS: readonly unknown[] = [412, 409];

export function createKeptHeads(s3: S3Client, bucket: string): KeptHeads {
  return {
    async *workspaces() {
      const pages = paginateListObjectsV2({ client: s3 }, { Bucket: bucket });
      try {
        for await (const { Contents = [] } of pages) {
          for (const { Key = '' } of Contents) {
            const workspace = WorkspaceId.safeParse(Key.replace(SUFFIX, '')).data;
            if (workspace !== undefined) yield workspace;
          }
        }
      } catch (cause) {
        unavailable(cause);
      }
    },

    async find(workspace) {
      const found = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(workspace) })).catch(absent);
      if (found === null) return null;
      const text = (await found.Body?.transformToString().catch(unavailable)) ?? '';
      return { heads: parse(workspace, text), version: found.ETag ?? '' };
    },

    async keep(heads, version) {
      const condition = version === null ? { IfNoneMatch: '*' } : { IfMatch: version };
      const Body = JSON.stringify(heads);
      const command = new PutObjectCommand({ Bucket: bucket, Key: keyOf(heads.workspace), Body, ...condition });
      return s3.send(command).then(
        () => 'kept' as const,
        (cause: unknown) => (isConflict(cause) ? ('conflict' as const) : unavailable(cause)),
      );
    },
  };
}

const SUFFIX = '.json';

function keyOf(workspace: WorkspaceId): string {
  return `${workspace}${SUFFIX}`;
}

function parse(workspace: WorkspaceId, text: string): SignedAuditHeads {
  try {
    return SignedAuditHeads.parse(JSON.parse(text));
  } catch {
    throw new Fault('stored_data_invalid', `the kept heads of ${workspace} are no signed heads`);
  }
}

function isConflict(cause: unknown): boolean {
  return cause instanceof S3ServiceException && CONFLICTS.includes(cause.$metadata.httpStatusCode);
}

function absent(cause: unknown): null {
  return cause instanceof NoSuchKey ? null : unavailable(cause);
}

function unavailable(cause: unknown): never {
  throw new Fault('audit_unavailable', 'the bucket of signed heads did not answer', { cause });
}
