/** Sends a file in parts, which go to S3 and not through the service, and makes a file of them. */
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, CommandError } from './service.ts';

const PARALLEL = 4;
/** Of one part, and of the completion. Each pause is twice as long as the one before. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;

interface Part {
  readonly part_number: number;
  readonly size_bytes: number;
  readonly url: string;
}

interface Upload {
  readonly id: string;
  readonly part_size: number;
  readonly parts: readonly Part[];
}

interface UploadOptions {
  /** @default what the name tells */
  readonly type: string | undefined;
  readonly signal: AbortSignal;
  /** Told after each part how many bytes are there. */
  readonly onProgress: (sent: number, all: number) => void;
}

/** @returns the id of the file. An upload that fails, or is interrupted, is given up. */
export async function uploadFile(path: string, { type, signal, onProgress }: UploadOptions): Promise<string> {
  const file = await open(path).catch(() => {
    throw new CommandError(`${path}: cannot be read`);
  });
  try {
    const { size } = await file.stat();
    const body = { filename: basename(path), size_bytes: size, ...(type !== undefined && { mime_type: type }) };
    // Not interrupted: without the id in the answer, it could not be given up.
    const upload = await ask<Upload>('/v1/x/uploads', { body });
    try {
      signal.throwIfAborted();
      const parts = await sendParts(file, upload, { signal, onProgress: (sent) => onProgress(sent, size) });
      const complete = () => ask<{ id: string }>(`/v1/x/uploads/${upload.id}/complete`, { body: { parts }, signal });
      return (await repeated(complete, signal)).id;
    } catch (error) {
      await ask(`/v1/x/uploads/${upload.id}`, { method: 'DELETE' }).catch(() => undefined);
      throw signal.aborted ? new CommandError('the upload was interrupted, and nothing of it stays') : error;
    }
  } finally {
    await file.close();
  }
}

interface Sending {
  readonly signal: AbortSignal;
  readonly onProgress: (sent: number) => void;
}

async function sendParts(file: FileHandle, upload: Upload, { signal, onProgress }: Sending) {
  const waiting = [...upload.parts];
  const done: { part_number: number; etag: string }[] = [];
  let sent = 0;
  async function sendEach(): Promise<void> {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const { part_number, size_bytes, url } = part;
      const bytes = Buffer.alloc(size_bytes);
      const { bytesRead } = await file.read(bytes, 0, size_bytes, (part_number - 1) * upload.part_size);
      if (bytesRead < size_bytes) throw new CommandError('the file became shorter while it was read');
      // The URL that a part had first may have ended with the credentials that signed it.
      const urlOf = (attempt: number) => (attempt === 1 ? url : newUrl(upload.id, part_number, signal));
      const etag = await repeated(async (attempt) => sendPart(await urlOf(attempt), bytes, signal), signal);
      done.push({ part_number, etag });
      sent += size_bytes;
      onProgress(sent);
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, sendEach));
  return done.toSorted((one, other) => one.part_number - other.part_number);
}

async function newUrl(id: string, part: number, signal: AbortSignal): Promise<string> {
  const { parts } = await ask<Upload>(`/v1/x/uploads/${id}`, { method: 'GET', signal });
  const found = parts.find(({ part_number }) => part_number === part);
  if (found === undefined) throw new CommandError('the upload has expired');
  return found.url;
}

/** @returns the part's ETag */
async function sendPart(url: string, body: Buffer<ArrayBuffer>, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, { method: 'PUT', body, signal });
  const code = /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1] ?? '';
  if (!response.ok) throw new Error(`S3 answered ${response.status} ${code}`);
  return response.headers.get('etag') ?? '';
}

/** What the service refuses is refused again, so only the rest is repeated. */
async function repeated<Value>(work: (attempt: number) => Promise<Value>, signal: AbortSignal): Promise<Value> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (error instanceof CommandError || signal.aborted || attempt === ATTEMPTS) throw error;
    }
    await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), undefined, { signal });
  }
}
