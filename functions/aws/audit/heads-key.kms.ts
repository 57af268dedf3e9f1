/** The deployment's key in KMS, which never leaves it. */
import { createPublicKey, verify } from 'node:crypto';
import { GetPublicKeyCommand, SignCommand, type KMSClient } from '@aws-sdk/client-kms';
import type { AuditHeads, SignedAuditHeads } from '#contract/audit.ts';
import type { HeadsKey } from '#core/ports/audit.ts';
import { signedText } from '#core/audit/signed-text.ts';
import { Fault } from '#core/ports/errors.ts';

export function createHeadsKey(client: KMSClient, keyArn: string): HeadsKey {
  let publicKey: Promise<Buffer> | null = null;

  /** The key of an ARN never changes. */
  function ours(): Promise<Buffer> {
    publicKey ??= client.send(new GetPublicKeyCommand({ KeyId: keyArn })).then(
      ({ PublicKey }) => Buffer.from(PublicKey ?? unavailable(new TypeError('KMS gave no public key'))),
      (cause: unknown) => {
        publicKey = null;
        return unavailable(cause);
      },
    );
    return publicKey;
  }

  return {
    async sign(heads: AuditHeads): Promise<SignedAuditHeads> {
      // Sixteen heads have less than the 4,096 bytes that KMS takes as a message.
      const command = new SignCommand({
        KeyId: keyArn,
        Message: Buffer.from(signedText(heads)),
        MessageType: 'RAW',
        SigningAlgorithm: 'ECDSA_SHA_256',
      });
      const [{ Signature }, key] = await Promise.all([client.send(command).catch(unavailable), ours()]);
      if (Signature === undefined) return unavailable(new TypeError('KMS gave no signature'));
      return { ...heads, public_key: key.toString('base64'), signature: Buffer.from(Signature).toString('base64') };
    },
    async isOurs(heads) {
      const key = createPublicKey({ key: await ours(), format: 'der', type: 'spki' });
      return verify('sha256', Buffer.from(signedText(heads)), key, Buffer.from(heads.signature, 'base64'));
    },
  };
}

function unavailable(cause: unknown): never {
  throw new Fault('audit_unavailable', 'the audit key did not answer', { cause });
}
