import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createContentStore } from '#aws/session/content.s3.ts';
import { createContentRemover } from '#aws/session/content-remover.s3.ts';
import { removeScratchDirs, startWorld, type AwsWorld } from '#test/infra/local/aws/aws.fixture.ts';

const Bucket = 'brainstem-content';
let world: AwsWorld;
let s3: S3Client;

beforeAll(async () => {
  world = await startWorld();
  s3 = new S3Client(world.as('Api'));
});
afterAll(async () => {
  await world.aws.close();
  removeScratchDirs();
});

async function fill(keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += 25) {
    await Promise.all(
      keys.slice(start, start + 25).map((Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: '[]' }))),
    );
  }
}

async function keysLeft(): Promise<readonly (string | undefined)[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key }) => Key);
}

const contentAs = (functionId: string) => {
  const { region, endpoint, credentials } = world.as(functionId);
  return createContentStore(
    {
      AWS_REGION: region,
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    Bucket,
  );
};

test('content that is missing is a retryable fault', async () => {
  await expect(contentAs('Api').get('sesn_0/sthr_0/9-z.json')).rejects.toMatchObject({
    code: 'content_unavailable',
    retryable: true,
  });
});

test('content is returned under the key that it was stored under', async () => {
  const content = contentAs('Api');
  await content.put('sesn_0/sthr_0/1-a.json', '["ä"]');
  expect(await content.get('sesn_0/sthr_0/1-a.json')).toBe('["ä"]');
  await createContentRemover(s3, Bucket).removeAll('sesn_0/');
});

test('all content under a prefix is removed over all pages of the listing, and no other content', async () => {
  await fill(Array.from({ length: 1003 }, (_, index) => `sesn_1/sthr_1/${index}-a.json`));
  await fill(['sesn_10/sthr_10/1-a.json']);
  const remover = createContentRemover(s3, Bucket);
  await remover.removeAll('sesn_1/');
  expect(await keysLeft()).toEqual(['sesn_10/sthr_10/1-a.json']);
  await remover.removeAll('sesn_1/');
});

test('an object that S3 does not delete is a fault, although the request as a whole succeeds', async () => {
  const refusing = new S3Client(world.as('Api'));
  refusing.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        if (commandName === 'DeleteObjectsCommand')
          Object.assign(result.output, { Errors: [{ Code: 'InternalError' }] });
        return result;
      },
    { step: 'initialize' },
  );
  await fill(['sesn_2/sthr_2/1-a.json']);
  await expect(createContentRemover(refusing, Bucket).removeAll('sesn_2/')).rejects.toMatchObject({
    code: 'content_unavailable',
  });
});
