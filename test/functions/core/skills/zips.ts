/** Archives as an attacker writes them: every field may lie. */
import { Readable } from 'node:stream';
import { crc32, deflateRawSync } from 'node:zlib';
import { isRefusal } from '#core/ports/errors.ts';
import type { SkillArchives, SkillFile } from '#core/ports/skills.ts';
import { SKILL_LIMITS } from '#core/skills/bundle.ts';

export interface ZipEntry {
  readonly name: string | Buffer;
  readonly data?: Buffer | string;
  readonly method?: number;
  readonly flags?: number;
  readonly mode?: number;
  /** What both headers claim. @default the truth */
  readonly claims?: { readonly size?: number; readonly packed?: number; readonly crc?: number };
  readonly zip64?: boolean;
  /** The data's place, when it is another entry's. */
  readonly at?: number;
}

export const u16 = (number: number) => Buffer.from([number & 0xff, (number >> 8) & 0xff]);
export const u32 = (number: number) => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(number >>> 0);
  return buffer;
};
const u64 = (number: number) => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(number));
  return buffer;
};

export function zipOf(entries: readonly ZipEntry[], options: { readonly count?: number } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { method = 8, flags = 0x0800, mode = 0o100644, claims = {}, zip64 = false } = entry;
    const name = Buffer.from(entry.name as string);
    const data = Buffer.from((entry.data ?? '') as string);
    const packed = method === 8 ? deflateRawSync(data) : data;
    const { size = data.length, packed: packedSize = packed.length, crc = crc32(data) } = claims;
    const extra = zip64 ? Buffer.concat([u16(1), u16(16), u64(size), u64(packedSize)]) : Buffer.alloc(0);
    const sizes = zip64 ? [u32(0xffffffff), u32(0xffffffff)] : [u32(packedSize), u32(size)];
    const about = [u16(45), u16(flags), u16(method), u16(0), u16(0x21), u32(crc), ...sizes, u16(name.length)];
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), ...about, u16(extra.length), name, extra, packed]);
    directory.push(
      Buffer.concat([
        ...[Buffer.from('PK\u0001\u0002'), u16(0x0314), ...about, u16(extra.length), u16(0), u16(0), u16(0)],
        ...[u32(mode << 16), u32(entry.at ?? offset), name, extra],
      ]),
    );
    if (entry.at !== undefined) continue;
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const count = u16(options.count ?? entries.length);
  const end = [Buffer.from('PK\u0005\u0006'), u16(0), u16(0), count, count, u32(central.length), u32(offset), u16(0)];
  return Buffer.concat([...parts, central, ...end]);
}

export const SKILL_MD = '---\nname: pdf-forms\ndescription: Fills in forms.\n---\n\n# Forms\n';

/** The files of an archive that a skill is stored as, by way of the zip that its clients download. */
export async function unpacked(archives: SkillArchives, archive: Uint8Array): Promise<readonly SkillFile[]> {
  const files = await archives.unzip(await downloaded(archives, archive, 'x'), SKILL_LIMITS);
  if (isRefusal(files)) throw new Error(files.message);
  return files.map(({ path, bytes }) => ({ path: path.slice(2), bytes }));
}

export async function downloaded(archives: SkillArchives, archive: Uint8Array, name: string): Promise<Buffer> {
  // As it comes from a bucket: in pieces that end anywhere.
  const pieces = Array.from({ length: Math.ceil(archive.length / 7001) }, (_, at) =>
    archive.subarray(at * 7001, (at + 1) * 7001),
  );
  const chunks: Uint8Array[] = [];
  for await (const chunk of archives.zip(Readable.from(pieces), name)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
