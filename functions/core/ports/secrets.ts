/**
 * Ports of the secrets themselves. IAM separates rights to write from rights to read: the API's role holds `SecretWriter`
 * alone, and the proxy's role both. A write adds a version and removes none, so the row that points at versions decides
 * which one is in force, and a writer that died before it wrote the row has changed nothing.
 *
 * A store may keep the secret sealed in the pointer itself. So pointers are stored with a row and appear in no answer, and
 * a secret is gone when `remove` has been called and the row has no pointers.
 */
import * as z from 'zod';
import type { CredentialAuth } from '#contract/credentials.ts';
import type { ResourceId, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';

export const SecretField = z.enum(['access_token', 'refresh_token', 'client_secret', 'token', 'secret_value']);
export type SecretField = z.infer<typeof SecretField>;

export type SecretValues = Readonly<Partial<Record<SecretField, string>>>;

/** The version that holds each field: an opaque text that the writer makes and the reader understands. */
export const SecretPointers = z.partialRecord(SecretField, z.string());
export type SecretPointers = Readonly<z.infer<typeof SecretPointers>>;

export interface SecretWriter {
  /**
   * Stores the fields as a new version and answers a pointer for each of them. Throws `Fault` `secret_unavailable`.
   * `inForce` are the pointers of the row that was read; a new credential has none. A write that has them does not bring
   * back what `remove` took away in the meantime.
   */
  write(
    place: CredentialPlace,
    type: CredentialAuth['type'],
    values: SecretValues,
    inForce?: SecretPointers,
  ): Promise<SecretPointers>;
  /** Ends everything that was stored for the credential outside its row, for good. A repeat changes nothing. */
  remove(place: CredentialPlace): Promise<void>;
}

export interface SecretReader {
  /**
   * The value of every field that is pointed at. Throws `Fault` `secret_unavailable`, also when a version is gone, and
   * `stored_data_invalid` for a pointer of another credential, another field or no store of this deployment.
   */
  read(place: CredentialPlace, pointers: SecretPointers): Promise<SecretValues>;
}

/** The repository of a session whose token it is. */
export interface TokenPlace {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly resource: ResourceId;
}

/**
 * Seals the token of a repository. The sealed text is stored with the resource and is in no answer, so the token is gone
 * when its resource is. Each sealing gives another text. Throws `Fault` `secret_unavailable`.
 */
export interface TokenSealer {
  seal(place: TokenPlace, token: string): Promise<string>;
}

/** Throws `Fault` `secret_unavailable`, and `stored_data_invalid` for a text that was sealed for another place. */
export interface TokenOpener {
  open(place: TokenPlace, sealed: string): Promise<string>;
}
