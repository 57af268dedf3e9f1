/**
 * MCP servers to which users do not consent one by one: their organisation's identity provider decides (the protocol's
 * extension `io.modelcontextprotocol/enterprise-managed-authorization`, with ID-JAG as its grant).
 */
import * as z from 'zod';
import { LoginSettings } from './connect.ts';

export const ManagedServer = z.object({
  url: z.string(),
  /** The server's name in its metadata (RFC 9728) and at the identity provider. */
  resource: z.string(),
  /** Issuer of the authorization server that issues the server's tokens. */
  issuer: z.url(),
  /** A client that an administrator has registered there, and that the identity provider knows. */
  clientId: z.string().min(1).max(2048),
  /** Null for a public client. */
  clientSecretArn: z.string().nullable(),
  scopes: z.array(z.string()),
});
export type ManagedServer = z.infer<typeof ManagedServer>;

/** Null when no server is managed so. */
export const EnterpriseSettings = z.object({ login: LoginSettings, servers: z.array(ManagedServer).min(1) }).nullable();
export type EnterpriseSettings = z.infer<typeof EnterpriseSettings>;
