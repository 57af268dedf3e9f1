/** The files of one skill: one directory with `SKILL.md` at its root, and nothing that a file system could misread. */
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SkillFile } from '#core/ports/skills.ts';

export const SKILL_LIMITS = { files: 1000, bytes: 30_000_000 } as const;

const MAX_PATH_BYTES = 500;
const MAX_NAME_BYTES = 200;
const MAX_DEPTH = 16;

export const SKILL_FILE = 'SKILL.md';

const OF_REPOSITORY = /^\.claude\/skills\/[^/]+\/SKILL\.md$/;

/** The folders of the skills among the files of a repository, whose paths begin at its root. */
export function skillFoldersIn(paths: readonly string[]): readonly string[] {
  const found = paths.filter((path) => OF_REPOSITORY.test(path) && pathRule(path) === null);
  return [...new Set(found.map((path) => path.slice(0, -SKILL_FILE.length - 1)))].toSorted();
}

/** What archivers of desktop systems add, which is no part of a skill. */
const LITTER = /(?:^|\/)(?:__MACOSX\/|\.DS_Store$)/;

interface Bundle {
  /** The directory that the upload wraps its files in. */
  readonly directory: string;
  /** With paths below that directory, sorted. */
  readonly files: readonly SkillFile[];
}

export function bundleOf(uploaded: readonly SkillFile[]): Bundle | RequestRefusal {
  const files = uploaded.filter(({ path }) => !LITTER.test(path));
  if (files.length === 0) return refused('files: must hold at least one file');
  if (files.length > SKILL_LIMITS.files) return refused(`files: must be at most ${SKILL_LIMITS.files} files`);
  if (files.reduce((sum, { bytes }) => sum + bytes.length, 0) > SKILL_LIMITS.bytes) {
    return refuse('request_too_large', `files: must take at most ${SKILL_LIMITS.bytes} bytes together, unpacked`);
  }
  const broken = uploaded.findIndex(({ path }) => pathRule(path) !== null);
  const rule = pathRule(uploaded[broken]?.path ?? 'x');
  if (rule !== null) return refused(`files.${broken}: its path ${rule}`);
  const paths = files.map(({ path }) => path.normalize('NFC'));
  const directory = paths[0]?.split('/')[0] ?? '';
  if (!paths.every((path) => path.startsWith(`${directory}/`))) {
    return refused('files: must all be in one top-level directory, which their paths begin with');
  }
  const taken = takenTwice(paths);
  if (taken >= 0) {
    const index = uploaded.findIndex((file) => file === files[taken]);
    return refused(`files.${index}: its path is another file's or directory's, perhaps in upper and lower case`);
  }
  const below = files
    .map(({ bytes }, index) => ({ path: paths[index]?.slice(directory.length + 1) ?? '', bytes }))
    .toSorted((one, other) => (one.path < other.path ? -1 : 1));
  if (!below.some(({ path }) => path === SKILL_FILE)) {
    return refused(`files: must hold ${SKILL_FILE} at the root of their top-level directory`);
  }
  return { directory, files: below };
}

/** The rule that a path breaks; null when it breaks none. */
function pathRule(path: string): string | null {
  if (!path.isWellFormed() || path.includes('\u{FFFD}')) return 'must be well-formed UTF-8';
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(path)) return 'must not have control or invisible characters';
  if (path.includes('\\')) return 'must separate its parts by "/" and not by "\\"';
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'must be relative';
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    return 'must not have an empty part, "." or ".."';
  }
  if (parts.length > MAX_DEPTH) return `must have at most ${MAX_DEPTH} parts`;
  if (bytesOf(path) > MAX_PATH_BYTES) return `must have at most ${MAX_PATH_BYTES} bytes`;
  return parts.some((part) => bytesOf(part) > MAX_NAME_BYTES)
    ? `must have parts of at most ${MAX_NAME_BYTES} bytes`
    : null;
}

/** The index of a path that an earlier file has too, or that is a directory of another file; -1 when there is none. */
function takenTwice(paths: readonly string[]): number {
  const names = paths.map((path) => path.toLowerCase());
  const taken = new Set<string>();
  const directories = new Set(
    names.flatMap((name) => [...name.matchAll(/\//g)].map(({ index }) => name.slice(0, index))),
  );
  return names.findIndex((name) => {
    const isTaken = taken.has(name) || directories.has(name);
    taken.add(name);
    return isTaken;
  });
}

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

const refused = (message: string) => refuse('invalid_request_error', message);
