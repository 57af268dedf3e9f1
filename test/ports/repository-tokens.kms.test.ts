import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ResourceId, SessionId, WorkspaceId } from '#contract/ids.ts';
import { createTokenOpener, createTokenSealer } from '#aws/vault/repository-tokens.kms.ts';
import { removeScratchDirs } from '#test/infra/local/aws/aws.fixture.ts';
import { startSecretsWorld, type SecretsWorld } from '#test/ports/secrets-world.ts';

let secrets: SecretsWorld;
beforeAll(async () => {
  secrets = await startSecretsWorld();
});
afterAll(async () => {
  await secrets.close();
  removeScratchDirs();
});

const place = {
  workspace: WorkspaceId.parse('wrkspc_1'),
  session: SessionId.parse('sesn_1'),
  resource: ResourceId.parse('sesrsc_1'),
};

describe('the sealed token of a repository', () => {
  it('opens for its own place alone, and by the role that may open', async () => {
    const { keyArn, otherKeyArn, as } = secrets;
    const sealer = createTokenSealer(as.writer.kms, keyArn);
    const opener = createTokenOpener(as.reader.kms, keyArn);
    const [one, again] = [await sealer.seal(place, 'ghp_canary'), await sealer.seal(place, 'ghp_canary')];
    expect(one).not.toBe(again);
    const parts = one.split('.').map((part) => Buffer.from(part, 'base64url').toString('latin1'));
    expect([one, ...parts].join()).not.toContain('canary');
    expect(await opener.open(place, one)).toBe('ghp_canary');
    const invalid = { code: 'stored_data_invalid' };
    for (const other of [
      { ...place, session: SessionId.parse('sesn_2') },
      { ...place, resource: ResourceId.parse('sesrsc_2') },
      { ...place, workspace: WorkspaceId.parse('wrkspc_2') },
    ])
      await expect(opener.open(other, one)).rejects.toMatchObject(invalid);
    const [version, ...rest] = one.split('.');
    const [otherVersion] = again.split('.');
    for (const text of ['', 'x', [otherVersion, ...rest].join('.'), [version, rest[0], again.split('.')[2]].join('.')])
      await expect(opener.open(place, text)).rejects.toMatchObject(invalid);
    await expect(createTokenOpener(as.writer.kms, keyArn).open(place, one)).rejects.toMatchObject({
      code: 'secret_unavailable',
    });
    await expect(createTokenOpener(as.reader.kms, otherKeyArn).open(place, one)).rejects.toMatchObject(invalid);
  });
});
