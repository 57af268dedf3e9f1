/** Where an export comes from: a file with one record per line, or the service itself, chain by chain. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { AUDIT_CHAINS } from '#contract/audit.ts';
import type { Exported } from './verify-export.ts';

const Page = z.object({ data: z.array(z.unknown()), next_page: z.string().nullable() });

/** Throws when the file can not be read. */
export async function* readFile(path: string): AsyncGenerator<Exported> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text.trim() !== '') yield { where: `line ${line}`, value: parse(text) };
  }
}

/** Throws when the service does not answer a page, with what it said instead. */
export async function* readService(baseUrl: string, apiKey: string): AsyncGenerator<Exported> {
  for (const chain of AUDIT_CHAINS) {
    let page: string | null = null;
    let count = 0;
    do {
      const next: z.infer<typeof Page> = await readPage(baseUrl, apiKey, { chain, page });
      for (const value of next.data) {
        count += 1;
        yield { where: `chain ${chain}, record ${count}`, value };
      }
      page = next.next_page;
    } while (page !== null);
  }
}

async function readPage(
  baseUrl: string,
  apiKey: string,
  { chain, page }: { readonly chain: string; readonly page: string | null },
): Promise<z.infer<typeof Page>> {
  const query = new URLSearchParams({ limit: '500', ...(page === null ? {} : { page }) });
  const url = `${baseUrl.replace(/\/+$/, '')}/v1/x/audit/chains/${chain}?${query}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } });
  const text = await response.text();
  if (!response.ok) throw new Error(`chain ${chain}: HTTP ${response.status}: ${text.slice(0, 500)}`);
  return Page.parse(JSON.parse(text));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
