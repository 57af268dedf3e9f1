/** Presigned URLs of S3, signed by hand, because the SDK's presigner would bring a package of its own. */
import { AwsV4Signer } from 'aws4fetch';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';

interface Presigned {
  readonly method: 'GET' | 'PUT';
  readonly key: string;
  /** S3 refuses the URL earlier when the function's own credentials end earlier. */
  readonly seconds: number;
  readonly query?: Readonly<Record<string, string>>;
  /** Exactly as many bytes as the body must have. @default any number */
  readonly bytes?: number;
}

export function createPresigner(env: Env, bucket: string): (asked: Presigned) => Promise<string> {
  const region = setting(env, 'AWS_REGION');
  const endpoint = serviceEndpoint(env, 's3', region);
  const credentials = roleCredentials(env);
  /** Of signing keys, which are the same for a day. */
  const cache = new Map<string, ArrayBuffer>();
  return async ({ method, key, seconds, query = {}, bytes }) => {
    const url = new URL(`/${bucket}/${key}`, endpoint);
    for (const [name, value] of Object.entries({ ...query, 'X-Amz-Expires': String(seconds) })) {
      url.searchParams.set(name, value);
    }
    // Clients send their length with any body that they have whole, so it can be a part of what is signed.
    const headers = bytes === undefined ? {} : { 'content-length': String(bytes) };
    const asked = { url: url.href, method, headers, allHeaders: true };
    const signer = new AwsV4Signer({ ...credentials, ...asked, region, service: 's3', signQuery: true, cache });
    return (await signer.sign()).url.href;
  };
}
