/** From the parts of an upload to a skill's version: its name, its description and one archive. */
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SkillArchives, SkillFile } from '#core/ports/skills.ts';
import { bundleOf, SKILL_FILE, SKILL_LIMITS } from '#core/skills/bundle.ts';
import { frontmatterOf, slugOf } from '#core/skills/frontmatter.ts';

/** A download is one response of Lambda, which is base64 inside of JSON there. */
const MAX_DOWNLOAD_BYTES = 4_400_000;

export interface ReadSkill {
  readonly name: string;
  readonly description: string;
  /** A `.tar.gz` of the files, with paths below the skill's directory. */
  readonly archive: Uint8Array<ArrayBuffer>;
}

export async function readUpload(
  archives: SkillArchives,
  parts: readonly SkillFile[],
): Promise<ReadSkill | RequestRefusal> {
  const [only] = parts;
  const uploaded =
    parts.length === 1 && only !== undefined && isZip(only) ? await archives.unzip(only.bytes, SKILL_LIMITS) : parts;
  if (isRefusal(uploaded)) return uploaded;
  const bundle = bundleOf(uploaded);
  if (isRefusal(bundle)) return bundle;
  const main = bundle.files.find(({ path }) => path === SKILL_FILE);
  const frontmatter = await frontmatterOf(archives, main?.bytes ?? new Uint8Array());
  if (isRefusal(frontmatter)) return frontmatter;
  const name = slugOf(frontmatter.name ?? bundle.directory);
  if (isRefusal(name)) return name;
  const { description } = frontmatter;
  if (downloadOf(archives, { name, files: bundle.files }).length > MAX_DOWNLOAD_BYTES) {
    return refuse('request_too_large', `files: must take at most ${MAX_DOWNLOAD_BYTES} bytes as a zip`);
  }
  return { name, description, archive: archives.pack(bundle.files) };
}

/** A zip of all files below one directory with the skill's name. */
export function downloadOf(
  { zip }: Pick<SkillArchives, 'zip'>,
  { name, files }: { readonly name: string; readonly files: readonly SkillFile[] },
): Uint8Array<ArrayBuffer> {
  return zip(files.map(({ path, bytes }) => ({ path: `${name}/${path}`, bytes })));
}

/** The name is of no matter: `PK` is how each zip begins, and how no `SKILL.md` does. */
function isZip({ bytes }: SkillFile): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b;
}

/** A later version of a skill has its name, by which agents' prompts and paths know it. */
export function otherName(saved: string, given: string): RequestRefusal | null {
  return saved === given
    ? null
    : refuse('invalid_request_error', `files: ${SKILL_FILE} must have the name of the skill's other versions`);
}
