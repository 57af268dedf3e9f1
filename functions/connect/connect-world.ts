/** What the pages need from the outside. */
import type { IdentityProvider } from '#core/ports/login.ts';
import type { AnswerWorld, KeepWorld } from '#core/connect/take-answer.ts';
import type { OpenWorld } from '#core/connect/open-link.ts';
import type { AuthorizationServers } from '#core/ports/authorization-server.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { CredentialRecords } from '#core/ports/vault-records.ts';

export interface ConnectWorld extends OpenWorld, AnswerWorld, KeepWorld {
  readonly credentials: Pick<CredentialRecords, 'find' | 'match' | 'announce' | 'create' | 'replace'>;
  readonly clients: AnswerWorld['clients'];
  readonly servers: AuthorizationServers;
  readonly connections: AnswerWorld['connections'];
  readonly identity: IdentityProvider;
  readonly journal: Journal;
}
