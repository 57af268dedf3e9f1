/** Reads an export from files of records or of saved answers, or from the service, chain by chain. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { AUDIT_CHAINS } from '#contract/audit.ts';
import { repeatedField } from './repeated-field.ts';
import type { Exported } from './verify-export.ts';

const Page = z.object({
  data: z.array(z.unknown()),
  next_page: z.string().nullable(),
  heads: z.unknown().optional(),
  /** In an answer of one chain. */
  chain: z.unknown().optional(),
});
/** Heads on a line of their own, beside records. */
const Heads = z.looseObject({ type: z.literal('audit_heads') });

/** Reads the files in their order. @throws when a file cannot be read */
export async function* readFiles(paths: readonly string[]): AsyncGenerator<Exported> {
  for (const path of paths) {
    for await (const { where, ...read } of readLines(path)) {
      yield { where: paths.length === 1 ? where : `${path}, ${where}`, ...read };
    }
  }
}

async function* readLines(path: string): AsyncGenerator<Exported> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text.trim() === '') continue;
    const own = parse(text);
    // A pretty-printed answer has a first line that is no JSON by itself.
    const whole = line === 1 && own.value === undefined ? parse(await readFile(path, 'utf8')) : null;
    yield* recordsIn(whole?.value === undefined ? own : whole, `line ${line}`);
    if (whole?.value !== undefined) return;
  }
}

/** The heads and records of a saved answer, or the one record. */
function* recordsIn({ value, repeated }: Parsed, where: string): Generator<Exported> {
  if (Heads.safeParse(value).success) return yield { where, heads: value, repeated };
  const page = Page.safeParse(value).data;
  if (page === undefined) return yield { where, value, repeated };
  if (page.heads !== undefined) yield { where, heads: page.heads, of: page.chain, repeated };
  for (const [index, record] of page.data.entries()) {
    yield { where: `${where}, record ${index + 1}`, value: record, repeated };
  }
}

/** Only the signed heads in the files of earlier exports. @throws when a file cannot be read, or has none */
export async function* readHeads(paths: readonly string[]): AsyncGenerator<Exported> {
  for (const path of paths) {
    let found = false;
    for await (const read of readFiles([path])) {
      if (read.heads === undefined) continue;
      found = true;
      yield { ...read, where: `${path}, ${read.where}`, isEarlier: true };
    }
    if (!found) throw new Error(`--heads: ${path} has no signed heads`);
  }
}

type Parsed = Required<Pick<Exported, 'value' | 'repeated'>>;

/** Reads all chains, or these. @throws with the service's answer, when that is no page of records */
export async function* readService(
  baseUrl: string,
  apiKey: string,
  chains: readonly string[] = AUDIT_CHAINS,
): AsyncGenerator<Exported> {
  for (const chain of chains) {
    let page: string | null = null;
    let count = 0;
    do {
      const next: Read = await readPage(baseUrl, apiKey, { chain, page });
      yield { where: `chain ${chain}`, heads: next.heads ?? null, of: chain, repeated: next.repeated };
      for (const value of next.data) {
        count += 1;
        yield { where: `chain ${chain}, record ${count}`, value, repeated: next.repeated };
      }
      page = next.next_page;
    } while (page !== null);
  }
}

async function readPage(
  baseUrl: string,
  apiKey: string,
  { chain, page }: { readonly chain: string; readonly page: string | null },
): Promise<Read> {
  const query = new URLSearchParams({ limit: '500', ...(page === null ? {} : { page }) });
  const url = `${baseUrl.replace(/(?<!\/)\/+$/, '')}/v1/x/audit/chains/${chain}?${query}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } });
  const text = await response.text();
  if (!response.ok) throw new Error(`chain ${chain}: HTTP ${response.status}: ${text.slice(0, 500)}`);
  return { ...Page.parse(JSON.parse(text)), repeated: repeatedField(text) };
}

type Read = z.infer<typeof Page> & Pick<Parsed, 'repeated'>;

function parse(text: string): Parsed {
  try {
    return { value: JSON.parse(text), repeated: repeatedField(text) };
  } catch {
    return { value: undefined, repeated: null };
  }
}
