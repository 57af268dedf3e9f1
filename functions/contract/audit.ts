/**
 * The audit trail: an intent before each call that leaves the service in a user's name and an outcome after, refusals
 * included, and each secret that the egress proxy is given. Records of a chain carry the hash of the one before, so that a
 * changed or missing one shows. They name things and hold hashes: never arguments, results or secrets.
 */
import * as z from 'zod';
import {
  AgentId,
  ApiKeyId,
  ConnectId,
  CredentialId,
  EventId,
  Instant,
  ResourceId,
  SessionId,
  ThreadId,
  VaultId,
  WorkspaceId,
} from './ids.ts';
import { limitUpTo } from './pages.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The agent, its user, and the call. */
const subject = {
  session: SessionId,
  thread: ThreadId,
  agent: AgentId,
  agent_version: z.int(),
  /** The user's name at the customer's identity provider; null when no vault of the session names a user. */
  user: z.string().nullable(),
  call: EventId,
  server: z.string(),
  /** Without query. */
  server_url: z.string(),
  tool: z.string(),
  args_sha256: Sha256,
};

/** How policy judged it. */
const judgement = {
  decision: z.enum(['allow', 'ask', 'deny']),
  code: z.string(),
  policy_ids: z.array(z.string()),
  policy_sha256: Sha256.nullable(),
  mode: z.enum(['none', 'shadow', 'enforce']),
  /** What a policy set in shadow mode would have decided. */
  would: z.enum(['allow', 'ask', 'deny']).nullable(),
  /** Whether a person has allowed this call. Optional, because a chain keeps records that were sealed without it. */
  confirmed: z.boolean().optional(),
};

export const AuditEntry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('intent'), ...subject, ...judgement }),
  z.object({
    kind: z.literal('outcome'),
    ...subject,
    /** `suspended`: it waits for a person. `unknown`: an attempt died after it may have been sent. */
    outcome: z.enum(['done', 'tool_error', 'failed', 'denied', 'suspended', 'unknown']),
    error: z.string().nullable(),
    vault: VaultId.nullable(),
    credential: CredentialId.nullable(),
    credential_version: z.int().nullable(),
    http_status: z.int().nullable(),
    duration_ms: z.int(),
    /** The answer held a secret that was in use, which was taken out. */
    secret_echo: z.boolean(),
  }),
  /** What people and API keys did to vaults, policies, connections and hands of sessions. */
  z.object({
    kind: z.literal('administration'),
    action: z.string(),
    /** Whose hand it is about. Optional, because a chain keeps records that were sealed without it. */
    session: SessionId.optional(),
    vault: VaultId.nullable(),
    credential: CredentialId.nullable(),
    connect: ConnectId.nullable(),
    user: z.string().nullable(),
    /** Absent when a person acts, in a browser. */
    api_key: ApiKeyId.optional(),
    /** `requested` is recorded before the effect, so that no effect lacks a record; a second record tells the end. */
    outcome: z.enum(['requested', 'done', 'denied']),
    reason: z.string().nullable(),
  }),
  /**
   * The egress proxy is given a secret for the programs of a session's sandbox, written before it is given. One record stands
   * for ten minutes. The secret is a credential's of a vault, or a repository's of the session.
   */
  z.object({
    kind: z.literal('secret'),
    session: SessionId,
    sandbox: z.string(),
    user: z.string().nullable(),
    vault: VaultId.nullable(),
    credential: CredentialId.nullable(),
    credential_version: z.int().nullable(),
    resource: ResourceId.nullable(),
  }),
  /**
   * What the programs of a session's sandbox did towards one host and port in some seconds, or were refused. `report` names
   * what the egress proxy told: a second record of one name is a repeat.
   */
  z.object({
    kind: z.literal('egress'),
    session: SessionId,
    user: z.string().nullable(),
    report: z.string(),
    host: z.string(),
    port: z.int(),
    verdict: z.enum(['allowed', 'refused', 'unreachable']),
    rule: z.string().nullable(),
    connections: z.int(),
    bytes_out: z.int(),
    bytes_in: z.int(),
    /** Credentials and repository resources whose secrets were used. */
    secrets: z.array(z.union([CredentialId, ResourceId])),
  }),
]);
export type AuditEntry = z.infer<typeof AuditEntry>;

/** The chains of each workspace; the subject of a record chooses its chain. */
export const AUDIT_CHAINS = Array.from({ length: 16 }, (_, shard) => String(shard).padStart(2, '0'));
export const AuditChain = z.string().regex(/^(0\d|1[0-5])$/, 'must be a chain from 00 to 15');

/** One record of a chain. `hash` is the SHA-256 of the record without it, keys sorted, as JSON. */
export const AuditRecord = z
  .object({
    id: z.string(),
    workspace: WorkspaceId,
    chain: z.string(),
    /** From 1, without a gap. */
    position: z.int().min(1),
    at: Instant,
    entry: AuditEntry,
    previous: Sha256.nullable(),
    hash: Sha256,
  })
  .meta({ id: 'AuditRecord' });
export type AuditRecord = z.infer<typeof AuditRecord>;

const AuditHead = z.strictObject({
  chain: AuditChain,
  /** 0 for a chain without records. */
  position: z.int().min(0),
  hash: Sha256.nullable(),
});

/** What the signature is over, as JSON with sorted keys: the last record of each chain of a workspace. */
export const AuditHeads = z.strictObject({
  type: z.literal('audit_heads'),
  workspace: WorkspaceId,
  at: Instant,
  heads: z
    .array(AuditHead)
    .refine(
      (heads) => heads.map(({ chain }) => chain).join() === AUDIT_CHAINS.join(),
      'must be of all chains, in order',
    ),
});
export type AuditHeads = z.infer<typeof AuditHeads>;

/** Signed with the deployment's key, ECDSA with SHA-256 over P-256. Both texts are base64 of DER. */
export const SignedAuditHeads = AuditHeads.extend({ public_key: z.base64(), signature: z.base64() }).meta({
  id: 'SignedAuditHeads',
});
export type SignedAuditHeads = z.infer<typeof SignedAuditHeads>;

/** The requests to the function that signs. It answers `SignedAuditHeads`, or nothing. */
export const SignAuditRequest = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('sign'), workspace: WorkspaceId }),
  z.strictObject({ do: z.literal('sign_all') }),
]);
export type SignAuditRequest = z.infer<typeof SignAuditRequest>;

/** A record has a few kilobytes at most, and a response carries six megabytes. */
const MAX_AUDIT_LIMIT = 500;
const page = {
  limit: limitUpTo(MAX_AUDIT_LIMIT).default(100),
  page: z.string().min(1).optional(),
  beta: z.string().optional(),
};
const Timestamp = z.iso.datetime({ offset: true }).optional();

/** `from` is inclusive and `to` is not, so that exports side by side neither overlap nor leave something out. */
export const AuditQuery = z.strictObject({
  from: Timestamp,
  to: Timestamp,
  session_id: SessionId.optional(),
  user: z.string().min(1).max(512).optional(),
  kind: z.enum(['intent', 'outcome', 'administration', 'secret', 'egress']).optional(),
  ...page,
});
export const AuditChainQuery = z.strictObject(page);
