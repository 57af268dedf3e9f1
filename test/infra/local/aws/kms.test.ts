import { createHash, createPublicKey, verify } from 'node:crypto';
import { DecryptCommand, GenerateDataKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openKms } from '#infra/local/aws/kms.ts';
import type { AwsRequest } from '#infra/local/aws/service.ts';
import { removeScratchDirs, scratchDir, smallTemplate, startWorld } from '#test/infra/local/aws/aws.fixture.ts';
import { vaultResources } from '#test/ports/secrets-world.ts';

afterAll(removeScratchDirs);

const { TokenKey: FOR_DATA } = vaultResources() as { TokenKey: { Type: string; Properties: object } };
const forSignatures = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', EnableKeyRotation: false };
const SIGN_KEY = { ...FOR_DATA, Properties: { ...FOR_DATA.Properties, ...forSignatures } };
const KEYS = smallTemplate({ ...vaultResources(), SignKey: SIGN_KEY }).keys;
const [KEY = { id: '', arn: '' }, OTHER = { id: '', arn: '' }, SIGNS = { id: '', arn: '' }] = KEYS;

/** Calls an operation as the endpoint does after it granted access. */
function caller(dataDir = scratchDir()) {
  const service = openKms(KEYS, dataDir);
  return async (operation: string, input: object) => {
    const request = { operation, body: Buffer.from(JSON.stringify(input)) } as AwsRequest;
    return JSON.parse(String((await service.read(request).answer()).body));
  };
}

const CONTEXT = { EncryptionContext: { ws: 'w', field: 'f' } };

test('KMS decrypts a data key with its key and context, in any order, also after a restart', async () => {
  const dataDir = scratchDir();
  const { CiphertextBlob, Plaintext, KeyId } = await caller(dataDir)('GenerateDataKey', {
    KeyId: KEY.id,
    KeySpec: 'AES_256',
    ...CONTEXT,
  });
  expect(KeyId).toBe(KEY.arn);
  expect(Buffer.from(Plaintext, 'base64')).toHaveLength(32);
  const EncryptionContext = { field: 'f', ws: 'w' };
  expect(await caller(dataDir)('Decrypt', { CiphertextBlob, EncryptionContext })).toMatchObject({ Plaintext, KeyId });
});

test('KMS decrypts nothing with another context, another key or another blob', async () => {
  const call = caller();
  const { CiphertextBlob } = await call('GenerateDataKey', { KeyId: KEY.arn, KeySpec: 'AES_256', ...CONTEXT });
  const invalid = { code: 'InvalidCiphertextException' };
  for (const EncryptionContext of [undefined, { ws: 'w' }, { ws: 'w', field: 'g' }, { ws: 'w', field: 'f', x: '' }]) {
    await expect(call('Decrypt', { CiphertextBlob, EncryptionContext })).rejects.toMatchObject(invalid);
  }
  const cut = CiphertextBlob.slice(0, -4);
  for (const blob of [cut, 'AAAA']) {
    await expect(call('Decrypt', { CiphertextBlob: blob, ...CONTEXT })).rejects.toMatchObject(invalid);
  }
  const withOther = call('Decrypt', { CiphertextBlob, KeyId: OTHER.arn, ...CONTEXT });
  await expect(withOther).rejects.toMatchObject({ code: 'IncorrectKeyException' });
});

test('KMS refuses an unknown key, an invalid size and a malformed context by name', async () => {
  const call = caller();
  await expect(call('GenerateDataKey', { KeyId: 'none', KeySpec: 'AES_256' })).rejects.toMatchObject({
    code: 'NotFoundException',
  });
  for (const size of [{}, { KeySpec: 'RSA' }, { KeySpec: 'AES_128' }]) {
    await expect(call('GenerateDataKey', { KeyId: KEY.id, ...size })).rejects.toThrow('KeySpec: ');
  }
  const context = { KeyId: KEY.id, KeySpec: 'AES_256', EncryptionContext: { ws: 1 } };
  await expect(call('GenerateDataKey', context)).rejects.toThrow('EncryptionContext.ws: ');
});

test('KMS keys are in files that only their owner can read', async () => {
  const dataDir = scratchDir();
  await caller(dataDir)('GenerateDataKey', { KeyId: KEY.id, KeySpec: 'AES_256' });
  expect(statSync(join(dataDir, 'kms')).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(dataDir, 'kms')).map((file) => statSync(join(dataDir, 'kms', file)).mode & 0o777)).toEqual([
    0o600,
  ]);
});

test('a role may be limited to an encryption context, and a role that may only make data keys decrypts none', async () => {
  const bound = {
    Effect: 'Allow',
    Action: 'kms:Decrypt',
    Resource: { 'Fn::GetAtt': ['TokenKey', 'Arn'] },
    Condition: { StringEquals: { 'kms:EncryptionContext:ws': 'w' } },
  };
  const BoundPolicy = {
    Type: 'AWS::IAM::Policy',
    Properties: { PolicyDocument: { Statement: [bound] }, Roles: [{ Ref: 'HarnessRole' }] },
  };
  const { ReaderPolicy: _, ...resources } = vaultResources();
  const world = await startWorld({ template: smallTemplate({ ...resources, BoundPolicy }) });
  const writer = new KMSClient(world.as('Api'));
  const reader = new KMSClient(world.as('Execute'));
  const sealed = async (ws: string) => {
    const EncryptionContext = { ws };
    const made = await writer.send(
      new GenerateDataKeyCommand({ KeyId: KEY.arn, KeySpec: 'AES_256', EncryptionContext }),
    );
    return new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, EncryptionContext });
  };
  await expect(writer.send(await sealed('w'))).rejects.toThrow('is not authorized to perform: kms:Decrypt');
  expect((await reader.send(await sealed('w'))).Plaintext).toHaveLength(32);
  await expect(reader.send(await sealed('x'))).rejects.toThrow('is not authorized to perform: kms:Decrypt');
  await world.aws.close();
});

const MESSAGE = Buffer.from('what happened');
const DIGEST = createHash('sha256').update(MESSAGE).digest();
const signing = (message: Buffer, more: object = {}) => ({
  ...{ KeyId: SIGNS.arn, Message: message.toString('base64'), SigningAlgorithm: 'ECDSA_SHA_256' },
  ...more,
});

test('KMS signs a message, or the digest of one, and gives the public key that verifies it, also after a restart', async () => {
  const dataDir = scratchDir();
  const { PublicKey, ...told } = await caller(dataDir)('GetPublicKey', { KeyId: SIGNS.id });
  expect(told).toMatchObject({ KeyId: SIGNS.arn, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const key = createPublicKey({ key: Buffer.from(PublicKey, 'base64'), format: 'der', type: 'spki' });
  for (const input of [signing(MESSAGE), signing(DIGEST, { MessageType: 'DIGEST' })]) {
    // The lengths of both numbers of a signature differ from one to the next.
    for (let time = 0; time < 20; time += 1) {
      const { Signature } = await caller(dataDir)('Sign', input);
      expect(verify('sha256', MESSAGE, key, Buffer.from(Signature, 'base64'))).toBe(true);
      expect(verify('sha256', DIGEST, key, Buffer.from(Signature, 'base64'))).toBe(false);
    }
  }
});

test.each([
  ['a message that is too long', signing(Buffer.alloc(4097)), 'ValidationException'],
  ['no message', signing(Buffer.alloc(0)), 'ValidationException'],
  ['a digest that is too short', signing(DIGEST.subarray(1), { MessageType: 'DIGEST' }), 'ValidationException'],
  ['a message as its digest', signing(MESSAGE, { MessageType: 'DIGEST' }), 'ValidationException'],
  [
    'an algorithm of another curve',
    signing(MESSAGE, { SigningAlgorithm: 'ECDSA_SHA_384' }),
    'InvalidKeyUsageException',
  ],
  ['an algorithm of RSA', signing(MESSAGE, { SigningAlgorithm: 'RSASSA_PSS_SHA_256' }), 'InvalidKeyUsageException'],
  ['a key for data', signing(MESSAGE, { KeyId: KEY.arn }), 'InvalidKeyUsageException'],
  ['an unknown key', signing(MESSAGE, { KeyId: 'none' }), 'NotFoundException'],
])('KMS refuses to sign: %s', async (_, input, code) => {
  const refused = Promise.resolve().then(() => caller()('Sign', input));
  await expect(refused).rejects.toMatchObject({ code });
});

test('KMS refuses an unknown algorithm, data keys of a key for signatures, and a public key of a key for data', async () => {
  const call = caller();
  await expect(call('Sign', signing(MESSAGE, { SigningAlgorithm: 'MD5' }))).rejects.toThrow('SigningAlgorithm: ');
  const dataKey = call('GenerateDataKey', { KeyId: SIGNS.arn, KeySpec: 'AES_256' });
  await expect(dataKey).rejects.toMatchObject({ code: 'InvalidKeyUsageException' });
  const publicKey = call('GetPublicKey', { KeyId: KEY.arn });
  await expect(publicKey).rejects.toMatchObject({ code: 'UnsupportedOperationException' });
});

test('only a role with the right to may sign', async () => {
  const Statement = [{ Effect: 'Allow', Action: 'kms:Sign', Resource: { 'Fn::GetAtt': ['SignKey', 'Arn'] } }];
  const Properties = { PolicyDocument: { Statement }, Roles: [{ Ref: 'ApiRole' }] };
  const SignPolicy = { Type: 'AWS::IAM::Policy', Properties };
  const world = await startWorld({ template: smallTemplate({ SignKey: SIGN_KEY, SignPolicy }) });
  const command = () => new SignCommand({ KeyId: SIGNS.arn, Message: MESSAGE, SigningAlgorithm: 'ECDSA_SHA_256' });
  expect((await new KMSClient(world.as('Api')).send(command())).Signature).toBeInstanceOf(Uint8Array);
  const other = new KMSClient(world.as('Execute')).send(command());
  await expect(other).rejects.toThrow('is not authorized to perform: kms:Sign');
  await world.aws.close();
});

test('a key with a policy that does not delegate to IAM is refused at the start', () => {
  const { TokenKey } = vaultResources();
  const { Properties } = TokenKey as { Properties: { KeyPolicy: { Statement: object[] } } };
  const Statement = [...Properties.KeyPolicy.Statement, { Effect: 'Allow', Action: 'kms:Decrypt', Principal: '*' }];
  const own = { Type: 'AWS::KMS::Key', Properties: { KeyPolicy: { Statement } } };
  expect(() => smallTemplate({ TokenKey: own })).toThrow('TokenKey (AWS::KMS::Key): KeyPolicy.Statement');
});
