/** Takes secrets out of what a server that refuses may say of why: what it wants of people, and where they find out. */
import type { McpFailure } from '#core/ports/mcp-client.ts';
import { redact } from '#core/mcp/redact.ts';

export interface RedactedFailure {
  readonly failure: McpFailure;
  readonly found: boolean;
}

/** Scopes are shown to people, kept with the call and asked for elsewhere: one that quotes a secret is none at all. */
export function redactFailure(failure: McpFailure, secretsInUse: readonly string[]): RedactedFailure {
  const quotes = (text: string) => redact(text, secretsInUse, '').found;
  const scopes = failure.scopes.filter((scope) => !quotes(scope));
  const isQuotedIn = failure.resourceMetadata !== null && quotes(failure.resourceMetadata);
  return {
    failure: { ...failure, scopes, resourceMetadata: isQuotedIn ? null : failure.resourceMetadata },
    found: isQuotedIn || scopes.length < failure.scopes.length,
  };
}
