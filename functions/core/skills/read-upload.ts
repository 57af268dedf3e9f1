/** From the parts of an upload to a skill's version: its name, its description and one archive. */
import type { FileId, WorkspaceId } from '#contract/ids.ts';
import { isExpired } from '#core/files/copy.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { SkillArchives, SkillFile } from '#core/ports/skills.ts';
import { bundleOf, SKILL_FILE, SKILL_LIMITS } from '#core/skills/bundle.ts';
import { frontmatterOf, slugOf } from '#core/skills/frontmatter.ts';

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
  return { name, description, archive: archives.pack(bundle.files) };
}

/** As many bytes as a skill has, and what a zip says about its files. */
const MAX_ZIP_BYTES = SKILL_LIMITS.bytes + 1_000_000;

/** A zip that was uploaded as a file of the workspace, because no form carries it. */
export async function uploadedZip(
  { files, blobs, stamp }: Pick<Ports, 'files' | 'blobs' | 'stamp'>,
  workspace: WorkspaceId,
  id: FileId,
): Promise<readonly SkillFile[] | RequestRefusal> {
  const stored = await files.find(workspace, id);
  if (stored === null) return refuse('invalid_request_error', 'file_id: there is no such file');
  if (isExpired(stored, stamp.now())) return refuse('invalid_request_error', 'file_id: the file has expired');
  const { filename: path, size_bytes } = stored.file;
  if (size_bytes > MAX_ZIP_BYTES) {
    return refuse('request_too_large', `file_id: must be a zip of at most ${MAX_ZIP_BYTES} bytes`);
  }
  const zip = { path, bytes: new Uint8Array(await new Response(await blobs.get(stored.blob)).arrayBuffer()) };
  return isZip(zip) ? [zip] : refuse('invalid_request_error', 'file_id: must be a zip');
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
