/** The sandbox's server is out of the reach of the agent's programs: attack by attack, in each kind of sandbox here. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContentEntry, START_SERVER } from '#contract/hands.ts';
import { callOf, execute, requestsTo, TAKEN, TOKEN_SHA256 } from '../../../sandbox-task/running-sandbox.ts';

const RUNNER = fileURLToPath(new URL('../../../../infra/local/tasks/bubblewrap.ts', import.meta.url));
const PORT = 8087;
const SOMEONE = 4242;

const isRoot = process.getuid?.() === 0;
/** A runtime as root changes the user of commands; one as an ordinary user has only one user to give. */
const KINDS = [
  ...(isRoot ? [{ kind: 'of root', host: '127.99.6.1', as: [] }] : []),
  {
    kind: 'of an ordinary user',
    host: '127.99.6.2',
    as: isRoot ? ['setpriv', `--reuid=${SOMEONE}`, `--regid=${SOMEONE}`, '--clear-groups', '--'] : [],
  },
];

/** An ordinary user may not read the place that this repository is in, or make no namespace. */
function works({ as }: { readonly as: readonly string[] }): boolean {
  const walls = ['bwrap', '--unshare-all', '--ro-bind', '/', '/', '--'];
  const [program = '', ...args] = [...as, ...walls, 'test', '-r', RUNNER, '-a', '-x', process.execPath];
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const keyring = (which: string): string =>
  `perl -e '($type, $name, $key) = ("user", "k", "v"); print syscall($ARGV[0] eq "aarch64" ? 217 : 248, $type, $name, $key, 1, ${which}) < 0 ? "refused" : "kept"' $(uname -m)`;

const TRACE = `
import ctypes, glob
for path in glob.glob("/proc/[0-9]*/cmdline"):
    if b"server.mjs" in open(path, "rb").read():
        traced = ctypes.CDLL(None).ptrace(16, int(path.split("/")[2]), 0, 0)
        if traced == 0: print("traced", path)
print(".")
`;

/** What a command must print in a sandbox that holds. */
const ATTACKS: readonly (readonly [what: string, command: string, printed: string | RegExp])[] = [
  ['reading the server’s variables', 'grep -l SANDBOX_TOKEN_SHA256 /proc/[0-9]*/environ 2>/dev/null; echo .', '.'],
  [
    'reading its memory',
    'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline | grep -q server.mjs && head -c1 $p/maps; done 2>/dev/null; echo .',
    '.',
  ],
  [
    'reading its open files',
    'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline | grep -q "node.*server.mjs" && ls $p/fd; done 2>/dev/null; echo .',
    '.',
  ],
  [
    'tracing it',
    `cat > trace.py <<'END'
${TRACE}
END
python3 trace.py 2>/dev/null || echo .`,
    '.',
  ],
  ['its inspector', '(exec 3<>/dev/tcp/127.0.0.1/9229) 2>/dev/null && echo open; echo .', '.'],
  [
    'calling its socket',
    `node -e 'require("net").connect("/run/brainstem/server.sock").on("connect", () => console.log("in")).on("error", () => console.log("out"))'`,
    'out',
  ],
  [
    'replacing its socket',
    'ln -sfn /var/run/docker.sock /run/brainstem/server.sock 2>/dev/null && [ -S /run/brainstem/server.sock ] && echo replaced; rm -rf /run/brainstem/* 2>/dev/null; mv /run/brainstem /run/other 2>/dev/null && echo moved; echo .',
    '.',
  ],
  [
    'a user namespace',
    'for o in -U -Ur -n -m -p; do unshare $o true 2>/dev/null && echo $o; done; bwrap --ro-bind / / true 2>/dev/null && echo bwrap; echo .',
    '.',
  ],
  ['another user', 'for u in 0 1001; do setpriv --reuid=$u true 2>/dev/null && echo $u; done; echo .', '.'],
  ['the keyring of the user', keyring('-4'), 'refused'],
  ['the keyring of the session', keyring('-3'), 'refused'],
  [
    'capabilities',
    'grep -cE "^Cap(Inh|Prm|Eff|Amb):.*[1-9a-f]" /proc/self/status; grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status',
    '0\nNoNewPrivs:\t1\nSeccomp:\t2',
  ],
  ['results of finished calls', 'ls -d /tmp/brainstem-calls* 2>/dev/null; echo .', '.'],
];

const SIGNALS = ['STOP', 'USR1', 'TERM', 'INT', 'HUP', 'QUIT', 'KILL'];

const here = KINDS.filter(works);

describe.skipIf(here.length === 0).each(here.length === 0 ? KINDS : here)(
  'in a bubblewrap sandbox $kind',
  ({ host, as }) => {
    let folder: string;
    let runtime: ReturnType<typeof spawn>;
    const address = { host, port: PORT };
    const bash = async (command: string) => (await execute(address, callOf('bash', { command }))).output;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'apart-'));
      await chmod(folder, 0o777);
      const imageDir = join(folder, 'asset.1');
      await mkdir(imageDir);
      const entryPoints = [fileURLToPath(new URL('../../../../sandbox-task/main.ts', import.meta.url))];
      await build({
        entryPoints,
        outfile: join(imageDir, 'server.mjs'),
        bundle: true,
        platform: 'node',
        format: 'esm',
      });
      const container = {
        name: 'sandbox',
        image: 'x',
        imageDir,
        environment: {},
        command: START_SERVER,
        port: PORT,
        user: '0:0',
      };
      const environment = { SANDBOX_TOKEN_SHA256: TOKEN_SHA256 };
      const start = {
        taskId: 'apart',
        container,
        cpu: 512,
        memoryMb: 1024,
        taskDir: join(folder, 'task'),
        host,
        network: 'none',
        environment,
      };
      const script = join(folder, 'runtime.mts');
      await writeFile(
        script,
        `import { mkdir } from 'node:fs/promises';
       import { createBubblewrapRunner } from ${JSON.stringify(RUNNER)};
       const start = ${JSON.stringify(start)};
       await mkdir(start.taskDir, { mode: 0o700 });
       await createBubblewrapRunner(null).start({ ...start, write: (text) => process.stderr.write(text) });
       console.log('up');`,
      );
      const [program = process.execPath, ...args] = [...as, process.execPath, script];
      runtime = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(runtime.stdout ?? runtime, 'data');
    });
    afterAll(async () => {
      runtime.kill('SIGKILL');
      await once(runtime, 'exit');
      await rm(folder, { recursive: true, force: true });
    });

    test.each(ATTACKS)('%s fails', async (_what, command, printed) => {
      expect(await bash(command)).toMatch(
        typeof printed === 'string' ? new RegExp(`^${printed.replaceAll('.', '\\.')}$`) : printed,
      );
    });

    test('a file of the session is read and not changed, and the agent’s own folders stay beside it', async () => {
      const file: ContentEntry = {
        path: '/mnt/session/uploads/d/a.txt',
        version: '1',
        access: 'read_only',
        form: 'file',
      };
      const { expectContents, put } = requestsTo(address);
      await expectContents('1', [file]);
      expect(await put([file, 'given'])).toEqual(TAKEN);
      const attacks = [
        [
          'echo x > d/a.txt',
          'chmod 666 d/a.txt',
          'rm -f d/a.txt',
          'mv d e',
          'rm -rf d',
          'touch d/b',
          'ln -sf /etc/passwd d/a.txt',
        ],
        [
          'cd .. && mv uploads u',
          'cd .. && ln -sfn /tmp uploads',
          'cd /mnt && mv session s',
          'cd /mnt && rm -rf session/uploads',
        ],
      ].flat();
      for (const attack of attacks) await bash(`(cd /mnt/session/uploads && ${attack})`);
      expect(await bash('cd /mnt/session/uploads; find . -type f; cat d/a.txt; cd')).toBe('./d/a.txt\ngiven');
      const write = { file_path: '/mnt/session/uploads/d/c.txt', content: 'x' };
      if (as.length === 0) expect(await execute(address, callOf('write', write))).toMatchObject({ isError: true });
      const { changed } = await execute(address, callOf('bash', { command: 'echo hi > /mnt/session/outputs/o' }));
      expect(changed).toBe(1);
      await expectContents('2', []);
      expect(await bash('ls /mnt/session/uploads/d/a.txt 2>&1')).toContain('No such file');
    });

    test('a program is known to go on until it ends, also one that has left the shell’s session', async () => {
      const leaves = async (command: string) =>
        (await execute(address, callOf('bash', { command }))).programsLive ?? false;
      expect(await leaves('(true) | cat; sleep 0.01')).toBe(false);
      expect(await leaves('setsid sleep 4646 >/dev/null 2>&1 & disown; (setsid sleep 4646 >/dev/null 2>&1 &)')).toBe(
        true,
      );
      expect(await leaves('cd /')).toBe(true);
      // One that was begun a moment ago may have another name still.
      await expect.poll(() => leaves('pkill -KILL -xf "sleep 4646"; true')).toBe(false);
    });

    test('signals reach neither the server nor its later calls', async () => {
      await bash('marked=yes');
      for (const signal of SIGNALS) {
        // $$ is the shell itself; its parent and every other process are attacked.
        await bash(
          `kill -${signal} $PPID; for p in /proc/[0-9]*; do [ $p = /proc/$$ ] || kill -${signal} \${p#/proc/}; done`,
        );
        expect(await bash('echo "$marked"')).toBe('yes');
      }
      await bash('(trap "" TERM; kill -KILL -1) & wait');
      expect(await bash('echo alive')).toContain('alive');
      expect(await bash('(exec 3<>/dev/tcp/127.0.0.1/9229) 2>/dev/null && echo open; echo .')).toBe('.');
    });

    test('every tool works as the agent, and all see the same files', async () => {
      const run = async (name: Parameters<typeof callOf>[0], input: Record<string, unknown>) =>
        (await execute(address, callOf(name, input))).output;
      await run('write', { file_path: 'deep/a.txt', content: 'needle\n' });
      expect(
        await bash(
          'stat -c %u deep/a.txt; echo more >> deep/a.txt; (umask 077; echo private needle > b.txt); cat deep/a.txt',
        ),
      ).toBe('1000\nneedle\nmore');
      expect(await run('read', { file_path: 'b.txt' })).toContain('private needle');
      await run('edit', { file_path: 'b.txt', old_string: 'private', new_string: 'edited' });
      expect(await run('grep', { pattern: 'edited needle' })).toContain('b.txt');
      expect(await run('glob', { pattern: '**/*.txt' })).toContain('deep/a.txt');
      expect(await bash('mkdir secret && chmod 700 secret && echo deep > secret/c; cat b.txt')).toBe('edited needle');
      expect(await run('read', { file_path: 'secret/c' })).toContain('deep');
    });

    test('a program that poses as the launcher is not run', async () => {
      await bash(
        'mkdir -p ~/.local/bin && for n in setpriv bwrap sh bash rg; do printf "#!/bin/sh\\necho posed\\n" > ~/.local/bin/$n; done; chmod +x ~/.local/bin/*',
      );
      await execute(address, callOf('bash', { restart: true }));
      expect(await bash('/usr/bin/id -u')).toBe('1000');
      expect((await execute(address, callOf('grep', { pattern: 'edited needle' }))).output).not.toContain('posed');
    });

    test('a background job outlives its call and dies with the shell', async () => {
      await bash('sleep 4545 & echo started');
      expect(await bash('pgrep -xf "sleep 4545" >/dev/null && echo runs')).toBe('runs');
      await execute(address, callOf('bash', { restart: true }));
      const lines = async () => {
        const { readdir } = await import('node:fs/promises');
        const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
        return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
      };
      await expect
        .poll(async () => (await lines()).some((line) => line.split('\0').join(' ').trim() === 'sleep 4545'))
        .toBe(false);
    });
  },
);
