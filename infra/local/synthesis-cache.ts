/** Synthesized stacks, each kept under a key that names everything it was made from. */
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import * as z from 'zod';

/** How many are kept: the one in use, and those of a few other checkouts, branches or options. */
const KEPT = 4;
/** A copy takes less than a second. An unfinished one that is older belongs to a process that was killed. */
const UNFINISHED_MS = 60 * 60_000;

const UNFINISHED = 'unfinished-';
const INDEX = 'index.json';

/** Of each file, by its path: the SHA-256 of its bytes. */
const Index = z.record(z.string(), z.string());

/**
 * What a synthesis reads: files and folders of this package, and settings. The lock file inside `node_modules` says what
 * is installed.
 */
const SOURCES = [
  'egress-proxy',
  'functions',
  'infra',
  'sandbox-task',
  'cdk.context.json',
  'cdk.json',
  'node_modules/.package-lock.json',
  'package-lock.json',
  'package.json',
  'tsconfig.json',
];

export interface SynthesisInputs {
  /** Folder of this package. */
  readonly root: string;
  /** Settings of the CDK for a person, `~/.cdk.json`. */
  readonly userSettings: string;
  /** The variables that the synthesis gets and that can change its result. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Version of Node.js, which bundles and synthesizes. */
  readonly node: string;
}

/** Names the result of a synthesis: it differs when anything differs that the result depends on. */
export function synthesisKey({ root, userSettings, environment, node }: SynthesisInputs): string {
  const paths = SOURCES.map((source) => join(root, source));
  const files = [...paths, userSettings].flatMap(filesUnder);
  const contents = files.map((file) => [relative(root, file), digestOf(readFileSync(file))]);
  const settings = Object.entries(environment).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return digestOf(JSON.stringify({ node, settings, contents }));
}

interface SynthesisCache {
  /** Writes the assembly of this key to a folder. False when there is none, or none that is whole. */
  take(key: string, outDir: string): boolean;
  /** Keeps a folder's assembly under this key. */
  keep(key: string, outDir: string): void;
}

/** Processes may use one folder at the same time: an assembly appears whole, by a rename, and is never changed. */
export function openSynthesisCache(folder: string): SynthesisCache {
  return {
    take(key, outDir) {
      const kept = join(folder, key);
      rmSync(outDir, { recursive: true, force: true });
      try {
        copyChecked(kept, outDir);
        // Its time says when it was used last.
        utimesSync(kept, new Date(), new Date());
        return true;
      } catch {
        // It is not there, it is damaged, or another process removes it at this moment: a synthesis makes it again.
        for (const useless of [kept, outDir]) rmSync(useless, { recursive: true, force: true });
        return false;
      }
    },
    keep(key, outDir) {
      mkdirSync(folder, { recursive: true });
      const unfinished = mkdtempSync(join(folder, UNFINISHED));
      try {
        const index = copy(outDir, unfinished);
        writeFileSync(join(unfinished, INDEX), JSON.stringify(index));
        renameSync(unfinished, join(folder, key));
      } catch (error) {
        rmSync(unfinished, { recursive: true, force: true });
        // Another process kept the same one meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
      }
      removeOld(folder);
    },
  };
}

function copy(from: string, to: string): z.infer<typeof Index> {
  const paths = filesUnder(from).map((file) => relative(from, file));
  return Object.fromEntries(
    paths.map((path) => {
      const bytes = readFileSync(join(from, path));
      write(join(to, path), bytes);
      return [path, digestOf(bytes)];
    }),
  );
}

/** @throws when a file is missing or is not the one that was kept */
function copyChecked(from: string, to: string): void {
  const index = Index.parse(JSON.parse(readFileSync(join(from, INDEX), 'utf8')));
  for (const [path, digest] of Object.entries(index)) {
    const bytes = readFileSync(join(from, path));
    if (digestOf(bytes) !== digest) throw new Error(`${path} has changed since it was kept`);
    write(join(to, path), bytes);
  }
}

function removeOld(folder: string): void {
  const entries = readdirSync(folder)
    .map((name) => ({ path: join(folder, name), name }))
    .map((entry) => ({ ...entry, usedAt: statSync(entry.path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((one, other) => other.usedAt - one.usedAt);
  const unfinished = entries.filter(({ name }) => name.startsWith(UNFINISHED));
  const abandoned = unfinished.filter(({ usedAt }) => usedAt < Date.now() - UNFINISHED_MS);
  const old = entries.filter((entry) => !unfinished.includes(entry)).slice(KEPT);
  for (const { path } of [...abandoned, ...old]) rmSync(path, { recursive: true, force: true });
}

/** The files of a folder in a fixed order; the path alone when it names a file; none when it names nothing. */
function filesUnder(path: string): readonly string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (stat.isFile()) return [path];
  return readdirSync(path)
    .toSorted()
    .flatMap((name) => filesUnder(join(path, name)));
}

function write(file: string, bytes: Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
}

const digestOf = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');
