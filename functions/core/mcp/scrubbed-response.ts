/** What a server said, as people may read it who look for what is wrong with a credential. */
import type { HttpResponse } from '#contract/credential-validation.ts';
import { redact } from '#core/mcp/redact.ts';

const MAX_BODY_CHARS = 1000;
const MARKER = '[redacted]';

/** Tokens that nobody here took: of an answer that could not be used they are known by their names only. */
const TOKEN_FIELD = /((?:access_token|refresh_token|id_token)["']?\s*[=:]\s*["']?)[^"'&\s,}<]+/g;

/** Scrubbed whole and then cut, so that no half of a secret is left at the end. */
export function scrubbedResponse(response: HttpResponse, inUse: readonly string[]): HttpResponse {
  const body = redact(response.body, inUse, MARKER).text.replaceAll(TOKEN_FIELD, `$1${MARKER}`);
  return {
    status_code: response.status_code,
    content_type: redact(response.content_type, inUse, MARKER).text,
    body: body.slice(0, MAX_BODY_CHARS),
    body_truncated: response.body_truncated || body.length > MAX_BODY_CHARS,
  };
}
