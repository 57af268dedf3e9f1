/** Whether a credential is good for its MCP server, as that server said when it was asked. */
import * as z from 'zod';
import { CredentialId, Instant, VaultId } from './ids.ts';

/** What a server said, scrubbed of secrets and cut to size. */
export const HttpResponse = z.object({
  status_code: z.int(),
  content_type: z.string(),
  body: z.string(),
  body_truncated: z.boolean(),
});
export type HttpResponse = z.infer<typeof HttpResponse>;

export const CredentialValidation = z
  .object({
    type: z.literal('vault_credential_validation'),
    credential_id: CredentialId,
    vault_id: VaultId,
    validated_at: Instant,
    has_refresh_token: z.boolean(),
    status: z.enum(['valid', 'invalid', 'unknown']),
    /** The MCP method that failed; null when none did, or there was nothing to test. */
    mcp_probe: z.object({ method: z.string(), http_response: HttpResponse.nullable() }).nullable(),
    /** Null when none was tried. */
    refresh: z
      .object({
        status: z.enum(['succeeded', 'failed', 'connect_error', 'no_refresh_token']),
        http_response: HttpResponse.nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'CredentialValidation' });
export type CredentialValidation = z.infer<typeof CredentialValidation>;
