import { rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Verdicts } from '../iam/verdicts.ts';
import { bodyOf, serveLoopback, splitUrl } from '../loopback.ts';
import type {
  Access,
  AroundCall,
  AwsEndpoint,
  AwsRequest,
  AwsResponse,
  RequestHead,
  Service,
  SignedRequest,
} from './service.ts';
import { createCallers, readCredential, type Callers } from './credentials.ts';
import { writeDraft } from './draft.ts';
import { checkPresigned, checkSigned, presignedCredential } from './signed.ts';
import { AwsFault, deniedFault, faultAnswer } from './wire.ts';

interface EndpointOptions {
  readonly verdicts: Verdicts;
  readonly services: readonly Service[];
  /** @default passes every call on as it came */
  readonly aroundCall: AroundCall | undefined;
  /** Told about every denied call and every fault of this runtime itself; never about content. */
  readonly report: (message: string) => void;
}

interface Endpoint extends EndpointOptions {
  readonly callers: Callers;
}

/** Serves the AWS APIs which the functions call, on one loopback address, judged by each caller's role. */
export async function serveAws(options: EndpointOptions): Promise<AwsEndpoint> {
  const endpoint: Endpoint = { ...options, callers: createCallers() };
  const server = await serveLoopback((incoming, outgoing) => serve(endpoint, incoming, outgoing), {
    // Idle connections stay open for as long as a worker lives: closing them would race with the worker's next call.
    keepAliveTimeout: 0,
    requestTimeout: 0,
    noDelay: true,
  });
  return {
    url: server.url,
    credentialsFor: (caller) => {
      const { accessKeyId, secretAccessKey } = endpoint.callers.issue(caller);
      return { accessKeyId, secretAccessKey };
    },
    close: async () => {
      await server.close();
      await Promise.all(options.services.map((service) => service.close?.()));
    },
  };
}

async function serve(endpoint: Endpoint, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { method = 'GET', headers } = incoming;
  const { path, query } = splitUrl(incoming);
  const { authorization } = headers;
  const credential = authorization === undefined ? presignedCredential(query) : readCredential(authorization);
  const name = credential?.service ?? 'unknown';
  const head = { service: name, method, path, query, headers };
  try {
    const { service, issued } = knownSigner(endpoint, head, credential?.accessKeyId ?? null);
    const request = await received(service, head, incoming);
    try {
      if (authorization !== undefined) checkSigned(request, issued.secretAccessKey);
      const { caller } = issued;
      await send(outgoing, await call(endpoint, service, { ...request, operation: service.operation(head), caller }));
    } finally {
      if (request.draft !== undefined) rmSync(request.draft.file, { force: true });
    }
  } catch (error) {
    // A worker that was killed leaves half a request behind, which needs no answer.
    if (incoming.destroyed && !incoming.complete) return;
    const fault = error instanceof AwsFault ? error : internalFault(endpoint, name, error);
    await send(outgoing, faultAnswer(name, fault));
  }
}

/** Judges a presigned URL, before the body is read that comes with it. */
function knownSigner(endpoint: Endpoint, head: RequestHead, accessKeyId: string | null) {
  const isPresigned = head.query.has('X-Amz-Signature');
  if (isPresigned && head.headers['authorization'] !== undefined) {
    throw new AwsFault('InvalidArgument', 'Only one auth mechanism allowed', 400);
  }
  if (accessKeyId === null) throw new AwsFault('MissingAuthenticationTokenException', 'the request is not signed', 403);
  const issued = endpoint.callers.find(accessKeyId);
  if (issued === null) {
    throw new AwsFault('UnrecognizedClientException', 'the access key id of this request belongs to no worker', 403);
  }
  const service = endpoint.services.find(({ name }) => name === head.service);
  if (service === undefined) {
    throw new AwsFault('UnknownOperationException', `${head.service} is not among the services played here`);
  }
  if (head.headers['authorization'] === undefined) checkPresigned(head, issued.secretAccessKey, Date.now());
  return { service, issued };
}

async function received(service: Service, head: RequestHead, incoming: IncomingMessage): Promise<SignedRequest> {
  const file = service.draftOf?.(head) ?? null;
  if (file === null) return { ...head, body: await bodyOf(incoming) };
  return { ...head, body: Buffer.alloc(0), draft: await writeDraft(file, incoming) };
}

async function call(endpoint: Endpoint, service: Service, request: AwsRequest): Promise<AwsResponse> {
  const { accesses, answer } = service.read(request);
  for (const access of accesses) authorize(endpoint, request, access);
  if (endpoint.aroundCall === undefined) return answer();
  return endpoint.aroundCall(request, async (passed) => {
    try {
      return await service.read(passed).answer();
    } catch (error) {
      // A refusal by the service is an answer like any other.
      if (error instanceof AwsFault) return faultAnswer(service.name, error);
      throw error;
    }
  });
}

/** @throws AwsFault naming principal, action, resource and the statement that is missing */
function authorize({ verdicts, report }: Endpoint, { service, caller }: AwsRequest, access: Access): void {
  const verdict = verdicts.judge(caller.roleArn, access);
  if (verdict.allowed) return;
  const [, account, role] = /^arn:aws:iam::(\d*):role\/(.*)$/.exec(caller.roleArn) ?? [];
  const principal = `arn:aws:sts::${account}:assumed-role/${role}/${caller.functionName}`;
  const message = denialMessage(principal, access, verdict);
  report(message);
  throw deniedFault(service, message);
}

/** AWS's own sentence, followed by the statement that would have to be added (or that refuses). */
export function denialMessage(
  user: string,
  access: { readonly action: string; readonly resource: string },
  verdict: { readonly denial: 'implicit' | 'explicit'; readonly missing: string },
): string {
  const why =
    verdict.denial === 'implicit'
      ? `because no identity-based policy allows the ${access.action} action. Missing statement: ${verdict.missing}`
      : `with an explicit deny in an identity-based policy. Denied by: ${verdict.missing}`;
  return `User: ${user} is not authorized to perform: ${access.action} on resource: ${access.resource} ${why}`;
}

function internalFault({ report }: Endpoint, service: string, error: unknown): AwsFault {
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown error';
  report(`${service}: the local service failed: ${reason}`);
  return new AwsFault('InternalServerError', `the local ${service} service failed`, 500);
}

async function send(outgoing: ServerResponse, { status, headers, body, stream }: AwsResponse): Promise<void> {
  const length = status === 204 || status === 304 ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  outgoing.writeHead(status, { ...length, ...headers });
  // A stream that fails cuts the response off.
  if (stream === undefined) outgoing.end(body);
  else await pipeline(stream, outgoing).catch(() => undefined);
}
