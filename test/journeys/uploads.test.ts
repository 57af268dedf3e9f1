/** A file that no request carries: from the command into a sandbox, and back out of it. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkspaceId } from '#contract/ids.ts';
import { createBlobs } from '#aws/files/blobs.s3.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { setting } from '#aws/settings.ts';
import { createStamp, newToken } from '#aws/stamp.ts';
import { storeFile } from '#core/files/store-file.ts';
import type { NewBlob } from '#core/ports/blobs.ts';
import { asFunction, environmentOf, sweepLeftovers } from '#test/faults/sweep.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';

const BETAS = ['managed-agents-2026-04-01' as const];
/** Two parts, or eight. */
const BYTES = process.env['FULL'] === '1' ? 60_000_000 : 12_000_000;

describe('a large file', () => {
  let service: Service;
  let folder: string;
  beforeAll(async () => {
    service = await startService();
    folder = mkdtempSync(join(tmpdir(), 'upload-'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await service.close();
  });

  /** Bytes that are other ones in each part. */
  function aFile(name: string, bytes = BYTES) {
    const content = Buffer.alloc(bytes, 'x');
    for (let at = 0; at < bytes - 4; at += 4096) content.writeUInt32BE(at, at);
    writeFileSync(join(folder, name), content);
    return { path: join(folder, name), sha256: createHash('sha256').update(content).digest('hex') };
  }

  const environment = () => {
    const { baseURL: ANTHROPIC_BASE_URL, apiKey } = service.client;
    return { ...process.env, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY: apiKey ?? '' };
  };
  const command = (...args: readonly string[]) =>
    promisify(execFile)('node', ['infra/cli/brainstem/main.ts', 'upload', ...args], { env: environment() });

  it('is refused by an ordinary upload, which names the other way', async () => {
    const { beta } = service.client;
    const { path } = aFile('refused.bin', 7_000_000);
    const refused = beta.files.upload({ file: await toFile(Buffer.alloc(7_000_000), path), betas: BETAS });
    await expect(refused).rejects.toMatchObject({
      status: 413,
      message: expect.stringContaining('POST /v1/x/uploads'),
    });
  });

  it('is uploaded by the command, read in a sandbox, written to the outputs, and downloaded', async () => {
    const { beta } = service.client;
    const { path, sha256 } = aFile('large.bin');
    const id = (await command(path, '--type', 'application/x-large')).stdout.trim();
    const named = { filename: 'large.bin', mime_type: 'application/x-large', size_bytes: BYTES };
    expect(await beta.files.retrieveMetadata(id, { betas: BETAS })).toMatchObject(named);
    const tools = [{ type: 'agent_toolset_20260401' as const }];
    const agent = await beta.agents.create({ name: 'Ada', model: 'claude-opus-5', tools });
    const lab = await beta.environments.create({ name: 'lab' });
    const resources = [{ type: 'file' as const, file_id: id, mount_path: 'large.bin' }];
    const session = await beta.sessions.create({ agent: agent.id, environment_id: lab.id, resources });
    const copying =
      'sha256sum /mnt/session/uploads/large.bin && cp /mnt/session/uploads/large.bin /mnt/session/outputs/';
    service.standIn.script(calling(bash(copying)));
    const seen = await service.converse(session.id, 'go');
    expect(textOf(ofType(seen, 'agent.tool_result')[0])).toContain(sha256);
    const files = (await beta.files.list({ scope_id: session.id, betas: BETAS })).data;
    const output = files.find(({ downloadable }) => downloadable);
    expect(output).toMatchObject({ filename: 'large.bin', size_bytes: BYTES });
    const { baseUrl: baseURL, apiKey } = service.runtime;
    const plain = new Anthropic({ baseURL, apiKey }).beta;
    const downloaded = await (await plain.files.download(output?.id ?? '', { betas: BETAS })).arrayBuffer();
    expect(createHash('sha256').update(Buffer.from(downloaded)).digest('hex')).toBe(sha256);
  });

  it('of a session that no stream carries is downloaded by a redirect, with its name and type', async () => {
    const [content, size_bytes] = [Buffer.from('as if it were large'), 250_000_000];
    const { part, client } = asFunction(service, 'execute');
    const [dynamodb, table] = [new DynamoDBClient(client), setting(part.environment, 'RECORDS_TABLE')];
    const ports = {
      ...{ files: createFileRecords(dynamodb, table), leftovers: createLeftovers(dynamodb, table) },
      ...{ stamp: createStamp(), newToken },
      blobs: createBlobs(environmentOf(client), setting(part.environment, 'CONTENT_BUCKET')),
    };
    // The row alone says how large the file is.
    const claiming = {
      ...ports.blobs,
      put: ({ blob }: NewBlob) => ports.blobs.put({ blob, bytes: content, sizeBytes: content.length }),
    };
    const named = { filename: 'übergroß "1".csv', mime_type: 'text/csv', size_bytes, downloadable: true };
    const { headers } = await service.client.beta.files.list({ betas: BETAS }).asResponse();
    const workspace = WorkspaceId.parse(headers.get('anthropic-workspace-id'));
    const owner = { workspace, scope: null, expiresInSeconds: null };
    const { file } = await storeFile({ ...ports, blobs: claiming }, { ...named, ...owner }, content);
    const { baseUrl: baseURL, apiKey } = service.runtime;
    const response = await new Anthropic({ baseURL, apiKey }).beta.files.download(file.id, { betas: BETAS });
    expect(response.url).not.toContain(baseURL);
    expect(response.headers.get('content-type')).toBe('text/csv');
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="_bergro_ _1_.csv"; filename\*=UTF-8''%C3%BC/,
    );
    expect(await response.text()).toBe(content.toString());
    dynamodb.destroy();
  });

  it('that is empty is one too', async () => {
    const { path } = aFile('empty.txt', 0);
    const id = (await command(path)).stdout.trim();
    const file = await service.client.beta.files.retrieveMetadata(id, { betas: BETAS });
    expect(file).toMatchObject({ filename: 'empty.txt', mime_type: 'text/plain', size_bytes: 0 });
  });

  it('leaves nothing when the command is interrupted, and the service says why it refuses one', async () => {
    const path = join(folder, 'interrupted.bin');
    writeFileSync(path, '');
    truncateSync(path, 200_000_000);
    const before = (await service.client.beta.files.list({ betas: BETAS })).data.length;
    const child = spawn('node', ['infra/cli/brainstem/main.ts', 'upload', path], { env: environment() });
    const uploads = () =>
      readdirSync(join(service.data, 's3'), { recursive: true }).filter((one) => `${one}`.includes('/uploads/'));
    await expect.poll(uploads).not.toEqual([]);
    child.kill('SIGINT');
    const said: string[] = [];
    for await (const chunk of child.stderr) said.push(String(chunk));
    expect(said.join('')).toContain('the upload was interrupted');
    expect((await service.client.beta.files.list({ betas: BETAS })).data).toHaveLength(before);
    await sweepLeftovers(service);
    expect(uploads()).toEqual([]);
    await expect(command(join(folder, 'missing.bin'))).rejects.toMatchObject({
      stderr: expect.stringContaining('cannot be read'),
    });
    const { path: named } = aFile('a:b.txt', 1);
    await expect(command(named)).rejects.toMatchObject({ stderr: expect.stringContaining('filename: must have') });
  });
});
