/** Presigned URLs of S3, signed by hand, because the SDK's presigner would bring a package of its own. */
import aws4 from 'aws4';
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
  return async ({ method, key, seconds, query = {}, bytes }) => {
    const { origin, host, pathname } = new URL(`/${bucket}/${key}`, endpoint);
    const path = `${pathname}?${new URLSearchParams({ ...query, 'X-Amz-Expires': String(seconds) })}`;
    // Clients send their length with any body that they have whole, so it can be a part of what is signed.
    const headers = bytes === undefined ? {} : { 'content-length': String(bytes) };
    const place = { service: 's3', region, method, host, path, headers, signQuery: true };
    return `${origin}${aws4.sign(place, credentials).path}`;
  };
}
