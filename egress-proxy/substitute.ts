/**
 * Puts secrets in the place of placeholders, in the headers and the body of one request. Never in its first line and in
 * headers that hold URLs: servers and those between write URLs to their logs, and browsers send them on.
 */
import { pipeline, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import type { Substitution } from '#contract/egress.ts';
import { bodyOf, unsized, valueOf, type Header, type HeaderList, type Refusal, type RequestParts } from './exchange.ts';
import { replacer, type Replacer } from './replacer.ts';

/** Bodies up to this length keep a length of their own, for servers that take no chunks. */
const MAX_BUFFERED_BYTES = 262_144;
/** A compressed body of few bytes may hold many. */
const MAX_INFLATED_BYTES = 16 * MAX_BUFFERED_BYTES;

/** Their values are URLs, or say where the message goes and ends. */
const NEVER_CHANGED: readonly string[] = [
  ...['host', 'content-length', 'content-encoding', 'content-location', 'destination', 'forwarded', 'link', 'origin'],
  ...['referer', 'x-original-url', 'x-rewrite-url'],
];

type Used = (substitution: Substitution) => void;

/** Headers first: a request that is refused has used no secret in its body. */
export async function substitute(
  request: RequestParts,
  substitutions: readonly Substitution[],
  used: Used,
): Promise<RequestParts | Refusal> {
  const headers = substituteHeaders(request.headers, {
    substitutions: substitutions.filter((one) => one.header),
    used,
  });
  if ('sentence' in headers) return headers;
  return substituteBody({ ...request, headers }, { substitutions: substitutions.filter((one) => one.body), used });
}

interface Substituting {
  readonly substitutions: readonly Substitution[];
  readonly used: Used;
}

function substituteHeaders(headers: HeaderList, { substitutions, used }: Substituting): HeaderList | Refusal {
  if (substitutions.length === 0) return headers;
  const replace = replacing(substitutions, PLAIN);
  const changed = headers.map(([name, value]): Header => {
    if (NEVER_CHANGED.includes(name.toLowerCase())) return [name, value];
    const basic = name.toLowerCase() === 'authorization' ? /^(basic +)([\w+/=-]+)$/i.exec(value.trim()) : null;
    if (basic === null) return [name, replace.all(Buffer.from(value, 'latin1'), used).toString('latin1')];
    const [, scheme = '', coded = ''] = basic;
    const plain = Buffer.from(coded, 'base64');
    const replaced = replace.all(plain, used);
    return [name, replaced.equals(plain) ? value : `${scheme}${replaced.toString('base64')}`];
  });
  return changed.some(([, value]) => /[^\t -~\u0080-\u00ff]/.test(value)) ? NOT_IN_A_HEADER : changed;
}

const NOT_IN_A_HEADER: Refusal = {
  status: 400,
  rule: 'secret_in_header',
  sentence:
    'the secret of a credential has a line break or another character that no header may have; store it without',
};

async function substituteBody(request: RequestParts, substituting: Substituting): Promise<RequestParts | Refusal> {
  const { headers, body } = request;
  const { substitutions, used } = substituting;
  if (body === null || substitutions.length === 0) return request;
  const coding = valueOf(headers, 'content-encoding')?.toLowerCase() ?? 'identity';
  const length = Number(valueOf(headers, 'content-length') ?? Infinity);
  if (coding !== 'identity') return judgeCompressed({ ...request, body }, { coding, length, substitutions });
  const replace = replacing(substitutions, writingOf(valueOf(headers, 'content-type') ?? ''));
  if (length > MAX_BUFFERED_BYTES)
    return { ...request, headers: unsized(headers), body: streamed(body, replace, used) };
  const whole = (await upTo(body)) ?? Buffer.alloc(0);
  const replaced = replace.all(whole, used);
  if (replaced.equals(whole)) return { ...request, body: bodyOf(whole) };
  const sized: HeaderList = [...unsized(headers), ['Content-Length', String(replaced.length)]];
  return { ...request, headers: sized, body: bodyOf(replaced) };
}

/** A body that breaks off breaks the request off. */
function streamed(body: Readable, replace: Replacer<Substitution>, used: Used): Readable {
  return pipeline(body, replace.stream(used), () => undefined);
}

/** Null when the body is longer. */
async function upTo(body: Readable): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BUFFERED_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

interface Compressed extends Pick<Substituting, 'substitutions'> {
  readonly coding: string;
  readonly length: number;
}

/** A compressed body goes on when it holds no placeholder. What cannot be looked into is refused. */
async function judgeCompressed(
  request: RequestParts & { readonly body: Readable },
  { coding, length, substitutions }: Compressed,
): Promise<RequestParts | Refusal> {
  const whole = Number.isFinite(length) && length > MAX_BUFFERED_BYTES ? null : await upTo(request.body);
  const plain = whole === null ? null : await decompressed(whole, coding);
  if (whole === null || plain === null) return NOT_LOOKED_INTO;
  const isIn = substitutions.some(({ placeholder }) => plain.includes(placeholder));
  return isIn ? COMPRESSED : { ...request, body: bodyOf(whole) };
}

const DECOMPRESS: Readonly<Record<string, (bytes: Buffer, options: object) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};

async function decompressed(bytes: Buffer, coding: string): Promise<Buffer | null> {
  const decompress = DECOMPRESS[coding];
  if (decompress === undefined) return null;
  // A body that is broken, or too long, cannot be looked into either.
  return decompress(bytes, { maxOutputLength: MAX_INFLATED_BYTES }).catch(() => null);
}

const COMPRESSED: Refusal = {
  status: 415,
  rule: 'compressed_body',
  sentence:
    'the body is compressed, and holds a placeholder that a secret would replace; send it without Content-Encoding',
};
const NOT_LOOKED_INTO: Refusal = {
  ...COMPRESSED,
  sentence:
    'the body is compressed, and too long or in a form that placeholders could not be looked for in it; ' +
    'send it without Content-Encoding',
};

/** How a text is written in a body of some type. */
type Writing = (text: string) => string;

const PLAIN: Writing = (text) => text;
const FORM: Writing = (text) => new URLSearchParams({ a: text }).toString().slice('a='.length);
const JSON_STRING: Writing = (text) => JSON.stringify(text).slice(1, -1);

function writingOf(contentType: string): Writing {
  const [type = ''] = contentType.toLowerCase().split(';');
  if (type.trim() === 'application/x-www-form-urlencoded') return FORM;
  return /[/+](?:x-)?(?:nd)?json(?:-seq|l|lines)?$/.test(type.trim()) ? JSON_STRING : PLAIN;
}

function replacing(substitutions: readonly Substitution[], writing: Writing): Replacer<Substitution> {
  return replacer(
    substitutions.flatMap((of) =>
      [...new Set([of.placeholder, writing(of.placeholder)])].map((find) => ({
        find: Buffer.from(find),
        put: Buffer.from(writing(of.secret)),
        of,
      })),
    ),
  );
}
