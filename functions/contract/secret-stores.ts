import * as z from 'zod';

/** Where the tokens of `mcp_oauth` credentials are kept; every other secret is in Secrets Manager. */
export const OAuthTokens = z.enum(['secrets-manager', 'dynamodb-kms']);
export type OAuthTokens = z.infer<typeof OAuthTokens>;
