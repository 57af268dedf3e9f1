import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Verdicts } from '../iam/verdicts.ts';
import type { AroundCall, AwsEndpoint, AwsRequest, AwsResponse, Service } from './service.ts';
import { createCallers, readCredential, type Callers, type Credential } from './credentials.ts';
import { checkPresigned, checkSigned, presignedCredential } from './signed.ts';
import { AwsFault, deniedFault, faultAnswer } from './wire.ts';

interface EndpointOptions {
  readonly verdicts: Verdicts;
  readonly services: readonly Service[];
  /** @default passes every call on as it came */
  readonly aroundCall?: AroundCall;
  /** Told about every denied call and every fault of this runtime itself; never about content. */
  readonly report?: (message: string) => void;
}

interface Endpoint {
  readonly services: ReadonlyMap<string, Service>;
  readonly callers: Callers;
  readonly verdicts: Verdicts;
  readonly aroundCall: AroundCall;
  readonly report: (message: string) => void;
}

/** Serves the AWS APIs which the functions call, on one loopback address, judged by each caller's role. */
export async function serveAws(options: EndpointOptions): Promise<AwsEndpoint> {
  const endpoint: Endpoint = {
    services: new Map(options.services.map((service) => [service.name, service])),
    callers: createCallers(),
    verdicts: options.verdicts,
    aroundCall: options.aroundCall ?? ((request, pass) => pass(request)),
    report: options.report ?? (() => {}),
  };
  // Idle connections stay open for as long as a worker lives: closing them would race with the worker's next call.
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, noDelay: true }, (incoming, outgoing) => {
    void serve(endpoint, incoming, outgoing);
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(0, '127.0.0.1', listening);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    credentialsFor: endpoint.callers.issue,
    close: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
      await Promise.all(options.services.map((service) => service.close()));
    },
  };
}

async function serve(endpoint: Endpoint, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const service = credentialOf(incoming)?.service ?? 'unknown';
  try {
    const body = await readBody(incoming);
    send(outgoing, await answer(endpoint, incoming, body));
  } catch (error) {
    // A worker that was killed leaves half a request behind; there is nobody to answer.
    if (incoming.destroyed && !incoming.complete) return;
    const fault = error instanceof AwsFault ? error : internalFault(endpoint, service, error);
    send(outgoing, faultAnswer(service, fault));
  }
}

async function answer(endpoint: Endpoint, incoming: IncomingMessage, body: Buffer): Promise<AwsResponse> {
  const credential = credentialOf(incoming);
  if (credential === null) throw new AwsFault('MissingAuthenticationTokenException', 'the request is not signed', 403);
  const caller = endpoint.callers.find(credential.accessKeyId);
  if (caller === null) {
    throw new AwsFault('UnrecognizedClientException', 'the access key id of this request belongs to no worker', 403);
  }
  const service = endpoint.services.get(credential.service);
  if (service === undefined) {
    throw new AwsFault('UnknownOperationException', `${credential.service} is not among the services played here`);
  }
  const { path, query } = placeOf(incoming);
  const { headers } = incoming;
  const unnamed = { service: credential.service, method: incoming.method ?? 'GET', path, query, headers, body };
  checkSignature(endpoint, unnamed, credential);
  const request: AwsRequest = { ...unnamed, operation: service.operation(unnamed), caller };
  authorize(endpoint, service, request);
  return endpoint.aroundCall(request, (passed) => handle(service, passed));
}

function credentialOf(incoming: IncomingMessage): Credential | null {
  const { authorization } = incoming.headers;
  return authorization === undefined ? presignedCredential(placeOf(incoming)) : readCredential(authorization);
}

/** @throws AwsFault when the request is not what was signed */
function checkSignature({ callers }: Endpoint, request: Parameters<typeof checkSigned>[0], by: Credential): void {
  const secret = callers.secretOf(by.accessKeyId);
  if (request.headers['authorization'] !== undefined) {
    if (callers.isShown(by.accessKeyId)) checkSigned(request, secret);
    return;
  }
  checkPresigned(request, secret, Date.now());
  callers.show(by.accessKeyId);
}

function placeOf({ url = '/' }: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf('?');
  const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
  return { path: mark === -1 ? url : url.slice(0, mark), query };
}

/** A refusal by the service is an answer like any other: `aroundCall` sees it. */
async function handle(service: Service, request: AwsRequest): Promise<AwsResponse> {
  try {
    return await service.handle(request);
  } catch (error) {
    if (error instanceof AwsFault) return faultAnswer(service.name, error);
    throw error;
  }
}

/** @throws AwsFault naming principal, action, resource and the statement that is missing */
function authorize(endpoint: Endpoint, service: Service, request: AwsRequest): void {
  for (const access of service.accesses(request)) {
    const verdict = endpoint.verdicts.judge(request.caller.roleArn, access);
    if (verdict.allowed) continue;
    const message = denialMessage(principal(request), access, verdict);
    endpoint.report(message);
    throw deniedFault(service.name, message);
  }
}

function principal(request: AwsRequest): string {
  const [, account, role] = /^arn:aws:iam::(\d*):role\/(.*)$/.exec(request.caller.roleArn) ?? [];
  return `arn:aws:sts::${account}:assumed-role/${role}/${request.caller.functionName}`;
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

function internalFault(endpoint: Endpoint, service: string, error: unknown): AwsFault {
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown error';
  endpoint.report(`${service}: the local service failed: ${reason}`);
  return new AwsFault('InternalServerError', `the local ${service} service failed`, 500);
}

function readBody(incoming: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    incoming.on('error', reject);
  });
}

function send(outgoing: ServerResponse, response: AwsResponse): void {
  const { status, headers, body } = response;
  const length = status === 204 || status === 304 ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  outgoing.writeHead(status, { ...length, ...headers });
  outgoing.end(body);
}
