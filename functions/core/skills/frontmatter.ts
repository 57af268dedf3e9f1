/** The frontmatter of `SKILL.md`: the YAML between two lines `---` at its beginning. */
import * as z from 'zod';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SkillArchives } from '#core/ports/skills.ts';
import { SKILL_FILE } from '#core/skills/bundle.ts';

const MAX_NAME_CHARS = 64;
const MAX_DESCRIPTION_CHARS = 1024;
/** A description fits many times. */
const MAX_FRONTMATTER_CHARS = 16_384;

/** Words that a skill's name must not have, so that no skill passes for one of the model's provider. */
const RESERVED = ['anthropic', 'claude'];

interface Frontmatter {
  /** Null when the frontmatter has none. */
  readonly name: string | null;
  readonly description: string;
}

const Fields = z.looseObject({ name: z.unknown().optional(), description: z.unknown().optional() });

export async function frontmatterOf(
  { parseYaml }: Pick<SkillArchives, 'parseYaml'>,
  bytes: Uint8Array,
): Promise<Frontmatter | RequestRefusal> {
  const text = textOf(bytes);
  if (isRefusal(text)) return text;
  const found = /^\u{FEFF}?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)/su.exec(text);
  if (found === null) return refused('must begin with frontmatter between two lines "---"');
  const yaml = found[1] ?? '';
  if (yaml.length > MAX_FRONTMATTER_CHARS) {
    return refused(`must have at most ${MAX_FRONTMATTER_CHARS} characters of frontmatter`);
  }
  const fields = Fields.safeParse(await parseYaml(yaml));
  if (!fields.success) return refused('must have frontmatter that is a YAML mapping');
  const { name = null, description } = fields.data;
  if (name !== null && typeof name !== 'string') return refused('must have a name that is text');
  if (typeof description !== 'string') return refused('must have a description that is text');
  const said = description.trim();
  if (said === '' || said.length > MAX_DESCRIPTION_CHARS || !said.isWellFormed()) {
    return refused(`must have a description of 1 to ${MAX_DESCRIPTION_CHARS} characters`);
  }
  return { name, description: said };
}

/** The slug that the skill keeps: what the frontmatter names, or else the directory of the upload. */
export function slugOf(given: string): string | RequestRefusal {
  if (given.length > MAX_NAME_CHARS || !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(given)) {
    return refused(
      `must have a name of at most ${MAX_NAME_CHARS} lower-case letters, digits and single hyphens between them`,
    );
  }
  const reserved = RESERVED.find((word) => given.includes(word));
  return reserved === undefined ? given : refused(`must have a name without the reserved word "${reserved}"`);
}

function textOf(bytes: Uint8Array): string | RequestRefusal {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refused('must be UTF-8 text');
  }
}

const refused = (rule: string) => refuse('invalid_request_error', `files: ${SKILL_FILE} ${rule}`);
