/** The world of the API. */
import type { GitHosts } from '#contract/git-hosts.ts';
import type { RequestConnectionPorts } from '#core/connect/request-connection.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { SandboxRecords } from '#core/ports/sandboxes.ts';
import type { RateLimiter } from '#core/requests/admission.ts';
import type { VaultWorld } from '#core/vault/vault-world.ts';

type ApiPorts = Pick<
  Ports,
  | 'log'
  | 'runs'
  | 'agents'
  | 'environments'
  | 'sessions'
  | 'threads'
  | 'files'
  | 'tokenSealer'
  | 'blobs'
  | 'leftovers'
  | 'uploads'
  | 'blobUploads'
  | 'skills'
  | 'skillArchives'
  | 'apiKeys'
  | 'reader'
  | 'remover'
  | 'releasing'
  | 'trial'
  | 'memoryStores'
  | 'memories'
  | 'policyRecords'
  | 'policyCheck'
  | 'pins'
  | 'audit'
  | 'auditTrail'
  | 'auditSigner'
  | 'sha256'
  | 'newToken'
  | 'journal'
>;

export interface ApiWorld extends ApiPorts, VaultWorld {
  readonly sandboxes: Pick<SandboxRecords, 'ofSession'>;
  readonly limiter: RateLimiter;
  readonly connecting: RequestConnectionPorts;
  /** Hosts of repositories beside github.com. */
  readonly gitHosts: GitHosts;
  /** Whether the provider is known to refuse a model that the Claude API has retired. */
  readonly retiredModels: 'refused' | 'accepted';
}
