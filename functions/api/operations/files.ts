import * as z from 'zod';
import { getExtension, getMimeType } from 'hono/utils/mime';
import { ExpiresInSeconds, FileDeleted, FileMetadata } from '#contract/files.ts';
import { FileId, type WorkspaceId } from '#contract/ids.ts';
import { DEFAULT_LIMIT, pageOf } from '#contract/pages.ts';
import { FilesQuery } from '#contract/queries.ts';
import { nameAndType } from '#core/files/filename.ts';
import { storeFile } from '#core/files/store-file.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { StoredFile } from '#core/ports/files.ts';
import type { ListRequest } from '#core/ports/records.ts';
import type { ApiWorld } from '../api-world.ts';
import { notFound, operation } from '../operation.ts';
import { listRequest, recordPage } from '../record-page.ts';

const Params = z.object({ file_id: FileId });

export const MIME_TYPES = { typeOf: (name: string) => getMimeType(name), extensionOf: getExtension };

/** A part without a filename is text, so bytes that are no text must come with one. */
const FormFile = z
  .union([z.file(), z.string()])
  .transform((part) => (typeof part === 'string' ? new File([part], '', { type: 'text/plain' }) : part));

const FileUpload = z.strictObject({ file: FormFile, expires_in_seconds: ExpiresInSeconds.optional() });

const upload = operation({
  route: 'POST /v1/files',
  summary: 'Upload a file of up to 4 MB; POST /v1/x/uploads takes larger ones',
  form: true,
  body: FileUpload,
  response: FileMetadata,
  async handle({ world, workspace, body }) {
    const { file, expires_in_seconds: expiresInSeconds = null } = body;
    const named = nameAndType(file, MIME_TYPES);
    if (isRefusal(named)) return named;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const given = { workspace, ...named, size_bytes: bytes.length, scope: null, downloadable: false, expiresInSeconds };
    return (await storeFile(world, given, bytes)).file;
  },
});

const retrieve = operation({
  route: 'GET /v1/files/{file_id}',
  summary: "Retrieve a file's metadata",
  params: Params,
  response: FileMetadata,
  async handle({ world, workspace, params }) {
    return (await world.files.find(workspace, params.file_id))?.file ?? notFound('file_id');
  },
});

/** Older clients page by the ids of the first and the last file, newer ones by a cursor. */
const FilePage = pageOf(FileMetadata).extend({
  has_more: z.boolean(),
  first_id: FileId.nullable(),
  last_id: FileId.nullable(),
});

const list = operation({
  route: 'GET /v1/files',
  summary: 'List files, newest first; those of a session with scope_id',
  query: FilesQuery,
  response: FilePage,
  async handle({ world, workspace, query }) {
    const { ids, scope_id: scope = null } = query;
    if (ids !== undefined) {
      // An id of another form is one that was never issued.
      const known = [...new Set(ids)].flatMap((id) => FileId.safeParse(id).data ?? []);
      const found = await world.files.findAll(workspace, known);
      const data = found.flatMap((one) => (one === null || isOutside(one, scope) ? [] : [one.file]));
      return pageWith(data, { has_more: false, next_page: null });
    }
    const request = await filesRequest(world, workspace, query);
    if (isRefusal(request)) return request;
    const found = await world.files.list(request, scope);
    const { data, next_page, prev_page } = recordPage('files', request, { found, view: ({ file }) => file });
    const has_more = (request.direction === 'next' ? next_page : prev_page) !== null;
    return pageWith(data, { has_more, next_page });
  },
});

function isOutside({ file }: StoredFile, scope: string | null): boolean {
  return scope !== null && file.scope?.id !== scope;
}

function pageWith(data: FileMetadata[], more: { readonly has_more: boolean; readonly next_page: string | null }) {
  return { data, ...more, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

async function filesRequest(
  world: Pick<ApiWorld, 'files'>,
  workspace: WorkspaceId,
  { limit = DEFAULT_LIMIT, page, after_id, before_id, scope_id }: FilesQuery,
): Promise<ListRequest | RequestRefusal> {
  const request = listRequest('files', { limit, page, include_archived: scope_id === undefined }, workspace);
  const beside = after_id ?? before_id;
  if (isRefusal(request) || beside === undefined) return request;
  const stored = await world.files.find(workspace, beside);
  const field = after_id === undefined ? 'before_id' : 'after_id';
  if (stored === null) return refuse('invalid_request_error', `${field}: there is no such file`);
  const beyond = { createdAt: stored.file.created_at, id: stored.file.id };
  return { ...request, beyond, direction: after_id === undefined ? 'prev' : 'next' };
}

const remove = operation({
  route: 'DELETE /v1/files/{file_id}',
  summary: 'Delete a file; a session that has a copy keeps it',
  params: Params,
  response: FileDeleted,
  async handle({ world, workspace, params }) {
    const removed = await world.files.remove(workspace, params.file_id, world.stamp.now());
    return removed ? { id: params.file_id, type: 'file_deleted' as const } : notFound('file_id');
  },
});

export const fileOperations = [upload, retrieve, list, remove];
