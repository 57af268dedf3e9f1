/** Uploads in parts: one row each, beside the file that it may become. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { BlobKey } from '#contract/files.ts';
import { FileId, Instant, UploadId, type WorkspaceId } from '#contract/ids.ts';
import { dueAfter } from '#core/files/end-leftover.ts';
import { fileHolder } from '#core/files/store-file.ts';
import type { Leftover } from '#core/ports/blobs.ts';
import type { StoredUpload, UploadRecords } from '#core/ports/uploads.ts';
import { creating } from '#aws/files/files.dynamodb.ts';
import { announcing } from '#aws/leftovers.dynamodb.ts';
import { isOf, json, parseRow } from '#aws/row.ts';
import { createTable, IS_NEW, mustBeSaved, type Key } from '#aws/table.ts';

/** How long a row stays after its upload has expired. */
const KEPT_MS = 24 * 3600_000;

const Body = z.object({
  id: UploadId,
  file: FileId,
  filename: z.string(),
  mime_type: z.string(),
  size_bytes: z.int(),
  created_at: Instant,
  expiresInSeconds: z.int().nullable(),
  expires_at: Instant,
  parts: z.object({ blob: BlobKey, upload: z.string() }),
});
const UploadRow = z.object({ body: json(Body), status: z.enum(['pending', 'completed']) });

const IS_PENDING = '#status = :pending';
const values = { pending: 'pending' };

export function createUploadRecords(dynamodb: DynamoDBClient, name: string): UploadRecords {
  const table = createTable(dynamodb, name);
  return {
    async begin(workspace, upload) {
      const { status, ...body } = upload;
      const expiresAt = Math.ceil((Date.parse(upload.expires_at) + KEPT_MS) / 1000);
      const row = { ...uploadKey(workspace, upload.id), workspace, status, body: JSON.stringify(body), expiresAt };
      const announced = announcing(table, leftoverOf(workspace, upload), dueAfter(upload.expires_at));
      mustBeSaved(await table.transact([table.putting(row, { when: [IS_NEW] }), announced]));
    },

    async find(workspace, id) {
      const row = await table.get(uploadKey(workspace, id));
      if (!isOf(row, workspace)) return null;
      const { body, status } = parseRow(UploadRow, row);
      return { ...body, status };
    },

    async complete(workspace, upload, file) {
      const completed = { set: { status: 'completed' }, when: [IS_PENDING], values };
      const { status } = await table.transact([
        table.updating(uploadKey(workspace, upload.id), completed),
        ...creating(table, workspace, file),
      ]);
      return status;
    },

    async abort(workspace, upload, at) {
      const { status } = await table.transact([
        table.removing(uploadKey(workspace, upload.id), { when: [IS_PENDING], values }),
        announcing(table, leftoverOf(workspace, upload), at),
      ]);
      return status === 'saved';
    },
  };
}

function uploadKey(workspace: WorkspaceId, id: UploadId): Key {
  return { pk: `${workspace}#${id}`, sk: 'upload' };
}

/** Parts that may be joined until a completion, which began just before the upload expired, has ended. */
function leftoverOf(workspace: WorkspaceId, { file, parts }: StoredUpload): Leftover {
  return { type: 'blob', ...parts, holder: fileHolder(workspace, file) };
}
