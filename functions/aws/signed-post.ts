/**
 * Signed requests for single operations of AWS, for which an SDK's client would be a tenth of a function's bundle. Node's own
 * client takes a third of the processor time of `fetch`, and its connections stay open between invocations.
 */
import * as http from 'node:http';
import * as https from 'node:https';
import { text } from 'node:stream/consumers';
import aws4 from 'aws4';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';

interface Post {
  /** @default '/' */
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

export interface Posted {
  readonly status: number;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  readonly text: string;
}

const SCHEMES = {
  'http:': { request: http.request, agent: new http.Agent({ keepAlive: true }) },
  'https:': { request: https.request, agent: new https.Agent({ keepAlive: true }) },
} as const;

/** Rejects when no answer came; any answer is a value. */
export function createSignedPost(env: Env, service: 'lambda' | 'states'): (post: Post) => Promise<Posted> {
  const region = setting(env, 'AWS_REGION');
  const { protocol, hostname, port } = new URL(serviceEndpoint(env, service, region));
  const { request, agent } = SCHEMES[protocol === 'http:' ? 'http:' : 'https:'];
  const credentials = roleCredentials(env);

  return async function post({ path = '/', headers, body, signal }): Promise<Posted> {
    const place = { hostname, port, path, method: 'POST', body, headers };
    const { headers: signed = {} } = aws4.sign({ ...place, service, region, doNotEncodePath: true }, credentials);
    for (;;) {
      const sent = request({ hostname, port, path, method: 'POST', headers: signed, agent, signal });
      try {
        const response = await answerTo(sent.end(body));
        return { status: response.statusCode ?? 0, headers: response.headers, text: await text(response) };
      } catch (error) {
        // The other end closed the connection while it was idle. A new one tells whether the service is there.
        const isClosed = sent.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
        if (!isClosed) throw error;
      }
    }
  };
}

function answerTo(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => void request.once('response', resolve).once('error', reject));
}
