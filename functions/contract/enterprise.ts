/**
 * MCP servers whose users do not consent one by one: their organisation's identity provider decides (the protocol's
 * extension `io.modelcontextprotocol/enterprise-managed-authorization`, with ID-JAG as its grant).
 */
import * as z from 'zod';
import { LoginSettings } from './connect.ts';

export const ManagedServer = z.object({
  url: z.string(),
  /** As its metadata (RFC 9728) and the identity provider know it. */
  resource: z.string(),
  /** Of the authorization server that issues its tokens. */
  issuer: z.url(),
  /** Registered there by hand, and known to the identity provider. */
  clientId: z.string().min(1).max(2048),
  /** Null for a public client. */
  clientSecretArn: z.string().nullable(),
  scopes: z.array(z.string()),
});
export type ManagedServer = z.infer<typeof ManagedServer>;

/** Null where no server is managed so. */
export const EnterpriseSettings = z.object({ login: LoginSettings, servers: z.array(ManagedServer).min(1) }).nullable();
export type EnterpriseSettings = z.infer<typeof EnterpriseSettings>;
