/** `git http-backend` behind TLS, for repositories `/owner/<name>.git`, which demands a token for everything. */
import { execFileSync, spawn } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { serveTls } from './opened-stage.ts';

export interface GitServer {
  readonly port: number;
  /** Lines of requests, with `+token` where the token came with them. */
  readonly got: string[];
}

export async function serveGit(authorization: string, names: readonly string[]): Promise<GitServer> {
  const root = mkdtempSync(join(tmpdir(), 'git-server-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const name of names) {
    execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', join(root, 'owner', `${name}.git`)]);
    execFileSync('git', ['-C', join(root, 'owner', `${name}.git`), 'config', 'http.receivepack', 'true']);
  }
  const got: string[] = [];
  const port = await serveTls((request, response) => {
    const hasToken = request.headers.authorization === authorization;
    got.push(`${request.method} ${request.url}${hasToken ? ' +token' : ''}`);
    if (hasToken && !request.url?.includes('/info/lfs/')) return backend(root, request, response);
    request.resume();
    response.writeHead(hasToken ? 200 : 401, { 'www-authenticate': 'Basic realm="git"' }).end('{}');
  });
  return { port, got };
}

function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const { headers } = request;
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'user',
      REQUEST_METHOD: request.method,
      PATH_INFO: path,
      QUERY_STRING: query,
      CONTENT_TYPE: headers['content-type'] ?? '',
      ...(headers['content-length'] !== undefined && { CONTENT_LENGTH: headers['content-length'] }),
      HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const fields = head
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': ') as [string, string]);
    const status = Number.parseInt(fields.find(([name]) => name === 'Status')?.[1] ?? '200', 10);
    response.writeHead(status, fields.filter(([name]) => name !== 'Status').flat());
    response.write(head.subarray(end + 4));
  });
  child.stdout.on('end', () => response.end());
}
