/** The skills of a repository: the folders of `.claude/skills` at its root, each with a file `SKILL.md`. */
import { constants } from 'node:fs';
import { open, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

const FOLDER = '.claude/skills';
const FILE = 'SKILL.md';
const MOST_SKILLS = 30;
/** Of a frontmatter that is told: a name has 64 characters and a description 1,024. */
const MAX_CHARS = 1500;
const MAX_READ = 16_384;

/**
 * What the model is told of them: the path of each and its frontmatter as it is. A link is followed nowhere: it could lead to
 * what the server reads and the agent must not.
 *
 * @param path of the repository, as the session sees it
 */
export async function skillNotes(folder: string, path: string): Promise<readonly string[]> {
  const names = (await foldersIn(join(folder, FOLDER))).toSorted();
  const notes: string[] = [];
  for (const name of names) {
    const frontmatter = await frontmatterOf(join(folder, FOLDER, name, FILE)).catch(() => null);
    if (frontmatter === null) continue;
    const said = frontmatter.replaceAll('&', '&amp;').replaceAll('<', '&lt;').slice(0, MAX_CHARS).toWellFormed();
    notes.push(`<skill path=${JSON.stringify(`${path}/${FOLDER}/${name}/${FILE}`)}>\n${said}\n</skill>`);
  }
  if (notes.length === 0) return [];
  const more = notes.length - MOST_SKILLS;
  return [
    `(${path} brings skills. When a task fits the description of one, read the file at its path before you begin.)`,
    ...notes.slice(0, MOST_SKILLS),
    ...(more > 0 ? [`(${more} more are in ${path}/${FOLDER}.)`] : []),
  ];
}

/** The folder itself and each folder in it, without links. */
async function foldersIn(folder: string): Promise<readonly string[]> {
  const [root, real] = await Promise.all([realpath(join(folder, '../..')), realpath(folder)]).catch(() => []);
  if (real === undefined || real !== join(root ?? '', FOLDER)) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** Empty without one; null for what is no regular file. */
async function frontmatterOf(file: string): Promise<string | null> {
  const opened = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await opened.stat()).isFile()) return null;
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(MAX_READ), 0, MAX_READ, 0);
    const text = buffer.toString('utf8', 0, bytesRead);
    return /^\u{FEFF}?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)/su.exec(text)?.[1] ?? '';
  } finally {
    await opened.close();
  }
}
