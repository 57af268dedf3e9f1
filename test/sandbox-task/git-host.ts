/**
 * A git host for tests: `git http-backend` behind TLS, which demands a token for the repositories below `/private` and
 * `/others`, and a proxy that tunnels to it whatever host is asked for, as the egress proxy would.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { certificateFor } from '#test/ports/certificate.ts';

const run = promisify(execFile);

/** For `git fast-import`: these commits on `main`, of which the first has the files, and one more on `topic`. */
function streamOf(commits: number, files: RepositoryFiles): string {
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const file = (name: string, mode: string, text: string) => `M ${mode} inline ${name}\n${data(text)}`;
  const commit = (mark: number, branch: string, content: string) =>
    `commit refs/heads/${branch}\nmark :${mark}\ncommitter T <t@example.com> ${1_700_000_000 + mark} +0000\n` +
    `${data(`commit ${mark}`)}${mark === 1 ? '' : `from :${mark - 1}\n`}${content}\n`;
  const given = Object.entries(files).map(([name, content]) =>
    typeof content === 'string' ? file(name, '100644', content) : file(name, '120000', content.linkTo),
  );
  const onMain = Array.from({ length: commits }, (_, index) =>
    commit(
      index + 1,
      'main',
      `${file('README.md', '100644', `commit ${index + 1}\n`)}${index === 0 ? given.join('') : ''}`,
    ),
  );
  return [...onMain, commit(commits + 1, 'topic', file('topic.md', '100644', 'the topic\n'))].join('');
}

type RepositoryFiles = Readonly<Record<string, string | { readonly linkTo: string }>>;

export interface GitHost {
  readonly host: string;
  /** The certificate that git must trust. */
  readonly cert: string;
  readonly port: number;
  /** Variables that lead git to this host. */
  readonly variables: Readonly<Record<string, string>>;
  /** A repository with this many commits on `main` and one on `topic`; answers the SHAs of `main`, the newest last. */
  create(path: string, commits: number, files?: RepositoryFiles): Promise<readonly string[]>;
  git(path: string, ...args: readonly string[]): Promise<string>;
  /** Replaces the token that private repositories demand. */
  demand(token: string): void;
  /** The next answers with objects break off after so many bytes. */
  breakNext(times: number, bytes: number): void;
  /** Answers `status` to every request below a path. */
  answer(path: string, status: number): void;
  /** `method path` of each request with its authorization. */
  readonly requests: { readonly line: string; readonly authorization: string | undefined }[];
  close(): Promise<void>;
}

export async function startGitHost(host = 'git.example.com', firstToken = 'token-of-the-host'): Promise<GitHost> {
  const root = mkdtempSync(join(tmpdir(), 'git-host-'));
  const { key, cert } = certificateFor(host, 'localhost');
  const requests: { line: string; authorization: string | undefined }[] = [];
  const fixed = new Map<string, number>();
  let token = firstToken;
  let breaking = { times: 0, bytes: 0 };

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', `https://${host}`);
    const { authorization } = request.headers;
    requests.push({ line: `${request.method} ${pathname}`, authorization });
    const status = [...fixed].find(([path]) => pathname.startsWith(path))?.[1];
    const isPrivate = /^\/(?:private|others)\//.test(pathname);
    const wanted = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
    if (status !== undefined) return void response.writeHead(status).end();
    if (isPrivate && authorization !== wanted)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    const isPack = pathname.endsWith('/git-upload-pack');
    const cut = isPack && breaking.times > 0 ? breaking.bytes : null;
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        ...{ GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', PATH_INFO: pathname, REMOTE_USER: 'someone' },
        ...{ REQUEST_METHOD: request.method ?? '', QUERY_STRING: searchParams.toString() },
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        GIT_CONFIG_COUNT: '1',
        ...{ GIT_CONFIG_KEY_0: 'http.receivepack', GIT_CONFIG_VALUE_0: 'true' },
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    request.pipe(backend.stdin);
    backend.stdin.on('error', () => undefined);
    let head: Buffer | null = Buffer.alloc(0);
    let sent = 0;
    backend.stdout.on('data', (chunk: Buffer) => {
      let body = chunk;
      if (head !== null) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        const lines = head
          .toString('latin1', 0, end)
          .split('\r\n')
          .map((line) => line.split(': '));
        const code = lines.find(([name]) => name === 'Status')?.[1] ?? '200';
        for (const [name = '', value = ''] of lines) if (name !== 'Status') response.setHeader(name, value);
        response.writeHead(Number.parseInt(code, 10));
        body = head.subarray(end + 4);
        head = null;
      }
      sent += body.length;
      // Only an answer with objects is longer than this.
      if (cut !== null && sent > cut) {
        if (response.destroyed) return;
        breaking = { ...breaking, times: breaking.times - 1 };
        response.destroy();
        backend.kill();
        return;
      }
      response.write(body);
    });
    backend.stdout.on('end', () => response.end());
  }

  const server = createTlsServer({ key, cert }, serve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy = createServer((_request, response) => void response.writeHead(400).end());
  proxy.on('connect', (request, socket, first) => {
    socket.on('error', () => undefined);
    if (request.url !== `${host}:443`) return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const out = connect(port, '127.0.0.1');
    out.on('error', () => socket.destroy());
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    out.write(first);
    out.pipe(socket).pipe(out);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const caFile = join(root, 'ca.pem');
  writeFileSync(caFile, cert);

  const git = async (path: string, ...args: readonly string[]) =>
    (await run('git', ['-C', join(root, path), ...args])).stdout.trim();

  return {
    host,
    cert,
    port,
    requests,
    variables: {
      HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      GIT_SSL_CAINFO: caFile,
    },
    git,
    async create(path, commits, files = {}) {
      const bare = join(root, path);
      await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', bare]);
      const importing = run('git', ['-C', bare, 'fast-import', '--quiet', '--export-marks=marks']);
      importing.child.stdin?.end(streamOf(commits, files));
      await importing;
      const marks = readFileSync(join(bare, 'marks'), 'utf8').trim().split('\n');
      const shas = new Map(marks.map((line) => [Number(/^:(\d+)/.exec(line)?.[1]), line.split(' ')[1] ?? '']));
      return Array.from({ length: commits }, (_, index) => shas.get(index + 1) ?? '');
    },
    demand: (next) => void (token = next),
    breakNext: (times, bytes) => void (breaking = { times, bytes }),
    answer: (path, status) => void fixed.set(path, status),
    async close() {
      server.close();
      server.closeAllConnections();
      proxy.close();
      proxy.closeAllConnections();
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
