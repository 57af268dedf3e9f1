import * as z from 'zod';
import { FileMetadata } from '#contract/files.ts';
import { UploadId } from '#contract/ids.ts';
import { Upload, UploadCompletion, UploadDeleted, UploadInput } from '#contract/uploads.ts';
import { nameAndType } from '#core/files/filename.ts';
import { abortUpload, beginUpload, completeUpload, shown } from '#core/files/upload.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { notFound, operation } from '../operation.ts';
import { MIME_TYPES } from './files.ts';

const Params = z.object({ upload_id: UploadId });

const begin = operation({
  route: 'POST /v1/x/uploads',
  summary: 'Begin the upload of a file of up to 500 MB in parts',
  body: UploadInput,
  response: Upload,
  async handle({ world, workspace, body }) {
    const named = nameAndType({ name: body.filename, type: body.mime_type ?? '' }, MIME_TYPES);
    if (isRefusal(named)) return named;
    const { size_bytes, expires_in_seconds: expiresInSeconds = null } = body;
    return beginUpload(world, workspace, { ...named, size_bytes, expiresInSeconds });
  },
});

const retrieve = operation({
  route: 'GET /v1/x/uploads/{upload_id}',
  summary: 'Retrieve an upload, with new URLs for its parts',
  params: Params,
  response: Upload,
  async handle({ world, workspace, params }) {
    const upload = await world.uploads.find(workspace, params.upload_id);
    return upload === null ? notFound('upload_id') : shown(world, upload);
  },
});

const complete = operation({
  route: 'POST /v1/x/uploads/{upload_id}/complete',
  summary: 'Make the file of an upload whose parts are all there',
  params: Params,
  body: UploadCompletion,
  response: FileMetadata,
  async handle({ world, workspace, params: { upload_id: id }, body }) {
    return completeUpload(world, workspace, { id, ...body });
  },
});

const abort = operation({
  route: 'DELETE /v1/x/uploads/{upload_id}',
  summary: 'Give an upload up',
  params: Params,
  response: UploadDeleted,
  async handle({ world, workspace, params: { upload_id: id } }) {
    const aborted = await abortUpload(world, workspace, id);
    return isRefusal(aborted) ? aborted : { id, type: 'upload_deleted' as const };
  },
});

export const uploadOperations = [begin, retrieve, complete, abort];
