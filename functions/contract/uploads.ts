/** Uploads in parts, for files that no request carries. The parts go to S3 directly, and completing an upload makes its file. */
import * as z from 'zod';
import { FileLifetime, MAX_FILE_BYTES } from './files.ts';
import { FileId, Instant, UploadId } from './ids.ts';

/** Of every part but the last. S3 takes none below 5 MiB. */
export const PART_BYTES = 8 * 1024 * 1024;

export const UploadInput = z.strictObject({
  /** May be a path; its last part counts. */
  filename: z.string().max(4096),
  mime_type: z.string().max(256).optional(),
  size_bytes: z.int().min(0).max(MAX_FILE_BYTES),
  expires_in_seconds: FileLifetime.optional(),
});

const UploadPart = z.object({
  part_number: z.int(),
  size_bytes: z.int(),
  /** Takes a PUT of exactly these bytes, and answers an `ETag`. */
  url: z.string(),
});

export const Upload = z
  .object({
    id: UploadId,
    type: z.literal('upload'),
    status: z.enum(['pending', 'completed']),
    filename: z.string(),
    mime_type: z.string(),
    size_bytes: z.int(),
    /** How many bytes each part has, but the last. */
    part_size: z.int(),
    /** Empty when the upload is completed. */
    parts: z.array(UploadPart),
    created_at: Instant,
    /** No part is taken after this. */
    expires_at: Instant,
    /** Null until the upload is completed. */
    file_id: FileId.nullable(),
  })
  .meta({ id: 'Upload' });
export type Upload = z.infer<typeof Upload>;

const CompletedPart = z.strictObject({
  part_number: z.int().min(1).max(10_000),
  etag: z.string().regex(/^"?[\w.+/=-]{1,100}"?$/, 'must be the ETag that the upload of the part answered'),
});

/** All parts, in their order. */
export const UploadCompletion = z.strictObject({ parts: z.array(CompletedPart).min(1).max(10_000) });
export type UploadCompletion = z.infer<typeof UploadCompletion>;

export const UploadDeleted = z
  .object({ id: UploadId, type: z.literal('upload_deleted') })
  .meta({ id: 'UploadDeleted' });
