/**
 * Ports of the secrets themselves. Who may write is not who may read: the API's role holds `SecretWriter` alone and the
 * proxy's both, and IAM makes it true. A write adds a version and takes nothing away, so the row that points at versions
 * decides which one is in force, and a writer that died in between has changed nothing.
 */
import * as z from 'zod';
import type { CredentialPlace } from '#core/vault/vault-records.ts';

export const SecretField = z.enum(['access_token', 'refresh_token', 'client_secret', 'token', 'secret_value']);
export type SecretField = z.infer<typeof SecretField>;

export type SecretValues = Readonly<Partial<Record<SecretField, string>>>;

/** Which version holds each field: opaque, made by the writer, and it tells the reader which store to ask. */
export const SecretPointers = z.partialRecord(SecretField, z.string());
export type SecretPointers = Readonly<z.infer<typeof SecretPointers>>;

export interface SecretWriter {
  /** Stores the fields as one new version and answers a pointer for each of them. Throws `Fault` `secret_unavailable`. */
  write(
    place: CredentialPlace,
    type: 'mcp_oauth' | 'static_bearer' | 'environment_variable',
    values: SecretValues,
  ): Promise<SecretPointers>;
  /** Makes every version of the credential unreadable, for good and at once. A repeat changes nothing. */
  remove(place: CredentialPlace): Promise<void>;
}

export interface SecretReader {
  /** The value of every field that is pointed at. Throws `Fault` `secret_unavailable`, also when a version is gone. */
  read(place: CredentialPlace, pointers: SecretPointers): Promise<SecretValues>;
}
