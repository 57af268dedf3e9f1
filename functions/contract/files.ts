/** Files: bytes with a name, which a client uploads or a session's sandbox writes. They never change. */
import * as z from 'zod';
import { FileId, Instant, SessionId } from './ids.ts';

/** The key of an object that holds the bytes of a file or a skill. It is random, and no client ever sees it. */
export const BlobKey = z
  .string()
  .regex(/^blobs\/[0-9A-Za-z]{24}$/)
  .brand<'BlobKey'>();
export type BlobKey = z.infer<typeof BlobKey>;

export const MAX_FILE_BYTES = 500_000_000;
export const MAX_FILENAME_CHARS = 255;

/** Characters that no operating system, header or path takes for anything else than a part of the name. */
export function isFilename(name: string): boolean {
  return name.isWellFormed() && /^[^<>:"|?*\\/\p{Cc}]{1,255}$/u.test(name) && name !== '.' && name !== '..';
}

export const Filename = z.string().refine(isFilename, 'must have 1 to 255 characters, and none of < > : " | ? * \\ /');

/** How long a client may have a file kept, in seconds. */
export const FileLifetime = z.int().min(3600).max(7_776_000);

/** In a form, where numbers are text. */
export const ExpiresInSeconds = z.coerce.number().pipe(FileLifetime);

export const FileScope = z.object({ type: z.literal('session'), id: SessionId }).meta({ id: 'FileScope' });

export const FileMetadata = z
  .object({
    id: FileId,
    type: z.literal('file'),
    filename: z.string(),
    mime_type: z.string(),
    size_bytes: z.int().min(0),
    created_at: Instant,
    downloadable: z.boolean(),
    expires_at: Instant.nullable(),
    /** The session whose sandbox has the file, or wrote it; null for a file of the workspace. */
    scope: FileScope.nullable(),
  })
  .meta({ id: 'FileMetadata' });
export type FileMetadata = z.infer<typeof FileMetadata>;

export const FileDeleted = z.object({ id: FileId, type: z.literal('file_deleted') }).meta({ id: 'FileDeleted' });
