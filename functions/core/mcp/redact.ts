/**
 * Takes secrets out of what a server says (`docs/security.md`, Secrets): a server may echo the token that it was called
 * with. `secret-forms.ts` says which of its forms are found.
 */
import type { HttpResponse } from '#contract/credential-validation.ts';
import { seen } from '#core/mcp/pins.ts';
import { formsOf } from '#core/outbound/secret-forms.ts';
import type { McpBlock, McpFailure, UrlRequest } from '#core/ports/mcp-client.ts';

interface Redacted {
  readonly text: string;
  readonly found: boolean;
}

const MARKER = '[redacted]';

/** Puts `marker`, which must not contain a secret, in the place of each secret. */
export function redact(text: string, secretsInUse: readonly string[], marker: string): Redacted {
  // The longest form goes first: a shorter form that is replaced inside a longer one would hide the longer one.
  const forms = [...new Set(secretsInUse.flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
  const redacted = forms.reduce((rest, form) => rest.replaceAll(form, () => marker), text);
  return { text: redacted, found: redacted !== text };
}

/** Redacts the blocks of an answer before they are formatted or cut: a secret that is cut would not be found. */
export function redactBlocks(blocks: readonly McpBlock[], secretsInUse: readonly string[], marker: string) {
  const redacted = blocks.map((block) => redactBlock(block, secretsInUse, marker));
  return { blocks: redacted.map(({ block }) => block), found: redacted.some(({ found }) => found) };
}

/** A file or an image that contains a secret becomes empty: with a part taken out it would not be a valid file. */
function redactBlock(block: McpBlock, secretsInUse: readonly string[], marker: string) {
  const fields = Object.entries(block).map(([name, value]) => {
    if (typeof value !== 'string') return { name, value, found: false };
    if (name !== 'data' && name !== 'blob') {
      const { text, found } = redact(value, secretsInUse, marker);
      return { name, value: text, found };
    }
    const bytes = Buffer.from(value, 'base64').toString('latin1');
    const { found } = redact(bytes, secretsInUse, marker);
    return { name, value: found ? '' : value, found };
  });
  const found = fields.some((field) => field.found);
  // The same names with texts for texts: still the block's type.
  return { block: Object.fromEntries(fields.map(({ name, value }) => [name, value])) as McpBlock, found };
}

/** Redacts requests to open a page as people will see them, before anything is cut. */
export function redactRequests(requests: readonly UrlRequest[], secretsInUse: readonly string[], marker: string) {
  const redacted = requests.map(({ id, url, message }) => {
    const page = redact(URL.parse(url)?.href ?? '', secretsInUse, marker);
    const said = redact(seen(message), secretsInUse, marker);
    return { request: { id, url: page.text, message: said.text }, found: page.found || said.found };
  });
  return { requests: redacted.map(({ request }) => request), found: redacted.some(({ found }) => found) };
}

/** The limit for the server's own words: they are to repair one call. */
const MAX_SAID_CHARS = 2000;

/**
 * Scopes are shown to people, kept with the call and sent to other servers: a scope that quotes a secret is dropped. The
 * server's own words are redacted before they are cut.
 */
export function redactFailure(failure: McpFailure, secretsInUse: readonly string[]) {
  const quotes = (text: string) => redact(text, secretsInUse, '').found;
  const scopes = failure.scopes.filter((scope) => !quotes(scope));
  const said = failure.said === null ? null : redact(seen(failure.said), secretsInUse, MARKER);
  const isQuotedIn = failure.resourceMetadata !== null && quotes(failure.resourceMetadata);
  return {
    failure: {
      ...failure,
      scopes,
      said: said === null ? null : cut(said.text),
      resourceMetadata: isQuotedIn ? null : failure.resourceMetadata,
    },
    found: isQuotedIn || scopes.length < failure.scopes.length || said?.found === true,
  };
}

function cut(said: string): string {
  return said.length <= MAX_SAID_CHARS ? said : `${said.slice(0, MAX_SAID_CHARS).toWellFormed()}…`;
}

const MAX_BODY_CHARS = 1000;

/** Finds tokens by their name, in an answer that this service could not use: it does not know their values. */
const TOKEN_FIELD = /((?:access_token|refresh_token|id_token)["']?\s*[=:]\s*["']?)[^"'&\s,}<]+/g;

/**
 * A server's answer for people who look for what is wrong with a credential. The body is scrubbed before it is cut, so
 * that no half of a secret is left at its end.
 */
export function scrubbedResponse(response: HttpResponse, inUse: readonly string[]): HttpResponse {
  const body = redact(response.body, inUse, MARKER).text.replaceAll(TOKEN_FIELD, `$1${MARKER}`);
  return {
    status_code: response.status_code,
    content_type: redact(response.content_type, inUse, MARKER).text,
    body: body.slice(0, MAX_BODY_CHARS),
    body_truncated: response.body_truncated || body.length > MAX_BODY_CHARS,
  };
}
