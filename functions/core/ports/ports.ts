/**
 * All ports, under the names by which the core is given them. A function names those that it uses:
 * `Pick<Ports, 'log' | 'stamp'>`. A world is the ports and settings of one Lambda function.
 */
import type { Audit, AuditedCalls, AuditSigner, AuditTrail } from '#core/ports/audit.ts';
import type { AuthorizationServers } from '#core/ports/authorization-server.ts';
import type { BlobRemover, Blobs, BlobUploads, Leftovers } from '#core/ports/blobs.ts';
import type { CallMarks } from '#core/ports/call-marks.ts';
import type { Hmac, Sha256 } from '#core/ports/canonical-json.ts';
import type { ConnectionLinks, ConnectionRecords, RegisteredClients } from '#core/ports/connection-records.ts';
import type { AbandonedCopies, FileRecords, OutputRecords } from '#core/ports/files.ts';
import type { Hooks, PolicyCheck, Policies, PolicyRecords } from '#core/ports/policy.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { IdentityProvider, Seals } from '#core/ports/login.ts';
import type { McpClient } from '#core/ports/mcp-client.ts';
import type { CredentialTrial, McpProxy } from '#core/ports/mcp-proxy.ts';
import type { Memories, MemoryRemovals, MemoryStoreRecords } from '#core/ports/memory.ts';
import type { Model } from '#core/ports/model.ts';
import type { Outbound, ReadPage } from '#core/ports/outbound.ts';
import type { Previews } from '#core/ports/previews.ts';
import type {
  AgentRecords,
  ApiKeys,
  ContentsReader,
  EnvironmentRecords,
  SessionReader,
  SessionRecords,
  ThreadRecords,
} from '#core/ports/records.ts';
import type { LogReader, LogRemover, Runs, SessionLog } from '#core/ports/session-log.ts';
import type {
  ArchiveReader,
  PackageArchives,
  PackageBuilds,
  ProxyRecords,
  Releasing,
  SandboxClient,
  SandboxRecords,
  Tasks,
  Warming,
} from '#core/ports/sandboxes.ts';
import type { SecretReader, SecretWriter, TokenOpener, TokenSealer } from '#core/ports/secrets.ts';
import type { AbandonedVersions, SkillArchives, SkillRecords } from '#core/ports/skills.ts';
import type { Pause, Stamp } from '#core/ports/stamp.ts';
import type { TokenBuckets } from '#core/ports/token-bucket.ts';
import type { Tokens } from '#core/ports/tokens.ts';
import type { ToolPins } from '#core/ports/tool-pins.ts';
import type { UploadRecords } from '#core/ports/uploads.ts';
import type { CredentialRecords, RefreshLeases, VaultRecords } from '#core/ports/vault-records.ts';

export interface Ports {
  // Time, names and the journal.
  readonly stamp: Stamp;
  readonly nowMs: () => number;
  readonly pause: Pause;
  /** The random part of a new id, or a secret of that many bits. */
  readonly newToken: () => string;
  readonly sha256: Sha256;
  readonly hmac: Hmac;
  readonly journal: Journal;

  // The API's records.
  readonly agents: AgentRecords;
  readonly environments: EnvironmentRecords;
  readonly sessions: SessionRecords;
  readonly sessionReader: SessionReader;
  readonly threads: ThreadRecords;
  readonly contents: ContentsReader;
  readonly apiKeys: ApiKeys;
  readonly buckets: TokenBuckets;

  // Files and what holds their bytes.
  readonly files: FileRecords;
  readonly outputs: OutputRecords;
  readonly abandonedCopies: AbandonedCopies;
  readonly blobs: Blobs;
  readonly blobRemover: BlobRemover;
  readonly uploads: UploadRecords;
  readonly blobUploads: BlobUploads;
  readonly leftovers: Leftovers;
  // Skills.
  readonly skills: SkillRecords;
  readonly abandonedVersions: AbandonedVersions;
  readonly skillArchives: SkillArchives;

  // A session's log, and what works on it.
  readonly log: SessionLog;
  readonly reader: LogReader;
  readonly remover: LogRemover;
  readonly runs: Runs;
  readonly model: Model;
  readonly previews: Previews;
  readonly outbound: Outbound;
  readonly readPage: ReadPage;

  // Sandboxes and their packages.
  readonly sandboxes: SandboxRecords;
  readonly sandboxClient: SandboxClient;
  readonly tasks: Tasks;
  readonly proxies: ProxyRecords;
  readonly warming: Warming;
  readonly releasing: Releasing;
  readonly archives: PackageArchives;
  readonly builds: PackageBuilds;
  readonly archiveReader: ArchiveReader;

  // Vaults and their secrets. IAM separates who writes from who reads.
  readonly vaults: VaultRecords;
  readonly credentials: CredentialRecords;
  readonly secrets: SecretWriter;
  readonly secretReader: SecretReader;
  /** Null where no sandbox has a way out, so none can have repositories. */
  readonly tokenSealer: TokenSealer | null;
  readonly tokenOpener: TokenOpener;
  readonly leases: RefreshLeases;
  readonly tokens: Tokens;

  // Memory stores.
  readonly memoryStores: MemoryStoreRecords;
  readonly memories: Memories;
  readonly memoryRemovals: MemoryRemovals;

  // Connecting users.
  readonly connections: ConnectionRecords;
  readonly links: ConnectionLinks;
  readonly clients: RegisteredClients;
  readonly servers: AuthorizationServers;
  readonly identity: IdentityProvider;
  readonly seals: Seals;

  // MCP calls, policy and audit.
  readonly mcp: McpProxy;
  readonly mcpClient: McpClient;
  readonly trial: CredentialTrial;
  readonly marks: CallMarks;
  readonly pins: ToolPins;
  readonly policies: Policies;
  readonly policyRecords: PolicyRecords;
  readonly policyCheck: PolicyCheck;
  readonly hooks: Hooks;
  readonly audit: Audit;
  readonly auditedCalls: AuditedCalls;
  readonly auditTrail: AuditTrail;
  readonly auditSigner: AuditSigner;
}
