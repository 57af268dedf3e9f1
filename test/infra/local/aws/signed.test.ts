import { AwsV4Signer } from 'aws4fetch';
import { describe, expect, test } from 'vitest';
import { checkPresigned, checkSigned, presignedCredential } from '#infra/local/aws/signed.ts';

const SECRET = 'the secret';
const SIGNED_AT = Date.parse('2026-11-21T10:00:00Z');

async function presigned(path: string, seconds = 60, more: Record<string, string> = {}) {
  const url = new URL(`http://127.0.0.1:9000${path}`);
  for (const [name, value] of Object.entries({ 'X-Amz-Expires': String(seconds), ...more }))
    url.searchParams.set(name, value);
  const signer = new AwsV4Signer({
    url: url.href,
    method: 'PUT',
    accessKeyId: 'AKIA1',
    secretAccessKey: SECRET,
    sessionToken: 'token/with+signs=',
    region: 'us-east-1',
    service: 's3',
    datetime: '20261121T100000Z',
    signQuery: true,
  });
  const signed = (await signer.sign()).url;
  return { method: 'PUT', path: signed.pathname, query: signed.searchParams, headers: { host: signed.host } };
}

test.each(['/bucket/key', '/bucket/packages/ab-1_2.tar.gz', '/bucket/%C3%A4%20%26%2B~(1)*'])(
  'a presigned URL that another implementation made for %s is accepted until it expires',
  async (path) => {
    const request = await presigned(path);
    expect(() => checkPresigned(request, SECRET, SIGNED_AT + 60_000)).not.toThrow();
    expect(() => checkPresigned(request, SECRET, SIGNED_AT + 60_001)).toThrow('expired');
  },
);

test('a presigned URL with the signature of another key is refused', async () => {
  expect(() => checkPresigned({ ...request }, 'another', SIGNED_AT)).toThrow('not the one that was signed');
});

test('a presigned URL with an additional query parameter is refused', async () => {
  const more = new URLSearchParams([...request.query, ['response-content-type', 'text/html']]);
  expect(() => checkPresigned({ ...request, query: more }, SECRET, SIGNED_AT)).toThrow('not the one that was signed');
});

test.each([0, 604_801, Number.NaN])('a presigned URL with a lifetime of %d seconds is refused', async (seconds) => {
  const unbounded = await presigned('/bucket/key', seconds);
  expect(() => checkPresigned(unbounded, SECRET, SIGNED_AT)).toThrow('X-Amz-Expires');
});

describe('a request with a signature in its headers', () => {
  async function signed(service: string, path: string) {
    const body = Buffer.from('{"a":1}');
    const signer = new AwsV4Signer({
      url: `http://127.0.0.1:9000${path}`,
      method: 'POST',
      body,
      headers: { 'x-amz-target': 'Service.Operation' },
      accessKeyId: 'AKIA1',
      secretAccessKey: SECRET,
      region: 'us-east-1',
      service,
    });
    const { url, headers } = await signer.sign();
    const given = { ...Object.fromEntries(headers ?? []), host: url.host };
    return { method: 'POST', path: url.pathname, query: url.searchParams, headers: given, body };
  }

  test.each([
    ['dynamodb', '/'],
    ['lambda', '/2015-03-31/functions/arn%3Aaws%3Alambda/invocations?Qualifier=1'],
    ['s3', '/bucket/a%20key?list-type=2&prefix=packages%2F'],
  ])('for %s is accepted unchanged and refused when it is changed', async (service, path) => {
    const asked = await signed(service, path);
    expect(() => checkSigned(asked, SECRET)).not.toThrow();
    const changes = [
      { ...asked, method: 'PUT' },
      { ...asked, path: '/elsewhere' },
      { ...asked, query: new URLSearchParams('other=1') },
      { ...asked, headers: { ...asked.headers, 'x-amz-target': 'Service.Other' } },
      // Only the body of an S3 request may be unsigned.
      ...(service === 's3' ? [] : [{ ...asked, body: Buffer.from('{}') }]),
    ];
    for (const changed of changes) expect(() => checkSigned(changed, SECRET)).toThrow('not the one that was signed');
    expect(() => checkSigned(asked, 'another')).toThrow('not the one that was signed');
  });
});

test('a request without a credential in its query is not presigned', () => {
  expect(presignedCredential(new URLSearchParams('X-Amz-Credential=nonsense'))).toBeNull();
  expect(presignedCredential(request.query)).toEqual({ accessKeyId: 'AKIA1', service: 's3' });
});

const request = await presigned('/bucket/key');
