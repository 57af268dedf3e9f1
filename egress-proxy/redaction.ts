/**
 * Takes secrets out of a server's answer: where it echoes one, in a form of `secret-forms.ts`, the placeholder stands again.
 * The secrets of the whole grant are looked for, because one server may pass on what another one was told.
 */
import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import type { Granted } from '#contract/egress.ts';
import { formsOf } from '#core/outbound/secret-forms.ts';
import { unsized, valueOf, withoutHeaders, type AnswerParts, type Header, type Refusal } from './exchange.ts';
import { replacer, type Replacer } from './replacer.ts';

/** For the token of a repository, which has no placeholder. */
const MARKER = '[redacted]';

/** A grant is kept for seconds, and serves many requests. */
const known = new WeakMap<Granted, Replacer<null>>();

export async function redactAnswer(
  granted: Granted,
  method: string,
  answer: AnswerParts,
): Promise<AnswerParts | Refusal> {
  const redact = known.get(granted) ?? redactor(granted);
  known.set(granted, redact);
  const text = (value: string) => redact.all(Buffer.from(value, 'latin1'), () => undefined).toString('latin1');
  // A name that holds a secret is left out: a placeholder in its place might be no name.
  const headers = answer.headers
    .filter(([name]) => text(name) === name)
    .map(([name, value]): Header => (name.toLowerCase() === 'content-length' ? [name, value] : [name, text(value)]));
  const redacted = { ...answer, reason: text(answer.reason), headers };
  if (method === 'HEAD' || answer.status === 204 || answer.status === 304) return redacted;
  const decoders = decodersOf(valueOf(headers, 'content-encoding') ?? '');
  if (decoders === null) return NOT_LOOKED_INTO;
  // A decoder takes an empty body for one that broke off.
  if (decoders.length > 0 && (await isEmpty(answer.body))) return redacted;
  return {
    ...redacted,
    headers: withoutHeaders(unsized(headers), ['content-encoding']),
    body: through(answer.body, [...decoders, redact.stream(() => undefined)]),
  };
}

/** The proxy asked for an answer without compression, and a server may compress it nevertheless. */
const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** Null for a coding that the proxy cannot undo. */
function decodersOf(coding: string): readonly Transform[] | null {
  const name = coding.trim().toLowerCase();
  if (name === '' || name === 'identity') return [];
  const decoder = DECODERS[name];
  return decoder === undefined ? null : [decoder()];
}

const NOT_LOOKED_INTO: Refusal = {
  status: 502,
  rule: 'compressed_answer',
  sentence: 'the answer is compressed in a form in which the proxy cannot look for secrets, and it had asked for none',
};

async function isEmpty(body: Readable): Promise<boolean> {
  if (body.readableLength === 0) {
    await new Promise((resolve) => {
      for (const event of ['readable', 'end', 'error', 'close']) body.once(event, resolve);
    });
  }
  return body.readableLength === 0;
}

/** A body that breaks off breaks the answer off. */
function through(body: Readable, steps: readonly Transform[]): Readable {
  return steps.reduce<Readable>((from, step) => pipeline(from, step, () => undefined), body);
}

function redactor({ substitutions, repositories }: Granted): Replacer<null> {
  const secrets = [
    ...substitutions.map(({ secret, placeholder }) => ({ secret, put: placeholder })),
    ...repositories.flatMap(({ authorization }) =>
      authorization === null ? [] : tokensOf(authorization.value).map((secret) => ({ secret, put: MARKER })),
    ),
  ];
  return replacer(
    secrets.flatMap(({ secret, put }) => bytesOf(secret).map((find) => ({ find, put: Buffer.from(put), of: null }))),
  );
}

/**
 * A header has no encoding. A secret with letters beyond ASCII goes out in UTF-8, and many servers take each byte for a
 * character, which they may write in UTF-8 again.
 */
function bytesOf(secret: string): readonly Buffer[] {
  const read = [secret, Buffer.from(secret).toString('latin1')];
  const forms = new Set(read.flatMap(formsOf));
  const inLatin1 = formsOf(secret).filter((form) => /[\u0080-\u00ff]/.test(form));
  return [...[...forms].map((form) => Buffer.from(form)), ...inLatin1.map((form) => Buffer.from(form, 'latin1'))];
}

/** `Bearer <token>`, `Basic <user and token>`, or a token alone: each part that is secret by itself. */
function tokensOf(value: string): readonly string[] {
  const token = value.slice(value.indexOf(' ') + 1);
  if (!/^basic /i.test(value)) return [token];
  const plain = Buffer.from(token, 'base64').toString();
  return [token, plain.slice(plain.indexOf(':') + 1)];
}
