/**
 * Programs of a sandbox that have a network, and secrets of their session's user that they may use and never see. What
 * the egress proxy does to one request is tested with it (test/egress-proxy); here are the uses and the attacks that need
 * the whole way: vault, sandbox, relay, proxy, and a server.
 */
import { randomBytes } from 'node:crypto';
import Anthropic104 from 'sdk-0.104';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { mainHand, SessionId } from '#contract/ids.ts';
import { USER_KEY } from '#contract/vaults.ts';
import { bash, calling, echo } from '#test/journeys/scripts.ts';
import { ofType, textOf, type Event } from '#test/journeys/service.ts';
import { callerOf, egressToken } from '#core/egress/caller.ts';
import { createProxyRecords, createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { hmac } from '#aws/stamp.ts';
import { failedIn, scriptOf, triesIn } from '#test/journeys/egress-tries.ts';
import { startTlsTarget, type Got, type TlsTarget } from '#test/journeys/tls-target.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { startMcpService, type McpService } from '#test/mcp/mcp-service.ts';
import { engineClient } from '#test/runtime/engine-client.ts';
import { placesWith } from '#test/mcp/traces.ts';

const HERE = { type: 'limited' as const, allowed_hosts: ['localhost'] };

/** The loopback names lead to the servers of the test, so they must not be left out. */
const PRELUDE = 'export NO_PROXY= no_proxy=; ';

describe.skipIf(!inject('hasBubblewrap'))('programs with a network and a secret', () => {
  const canaries = new Map<string, string>();
  const newCanary = (kind: string): string => {
    const canary = `cnry-${kind}-${randomBytes(12).toString('hex')}`;
    canaries.set(kind, canary);
    return canary;
  };
  let target: TlsTarget;
  let service: McpService;
  let api: string;
  let ada: Awaited<ReturnType<typeof newVault>>;
  let bob: Awaited<ReturnType<typeof newVault>>;
  let adas: string;
  let bobs: string;
  let rotatedAt: number;

  beforeAll(async () => {
    target = await startTlsTarget();
    const network = { allow: ALLOW_HERE, extraCa: target.certificate };
    service = await startMcpService({ props: { network } });
    api = `https://localhost:${target.port}`;
    const { id: environment } = await service.client.beta.environments.create({ name: 'open' });
    ada = await newVault('ada');
    const { apiKey, baseUrl: baseURL } = service.runtime;
    bob = await newVault('bob', new Anthropic104({ apiKey, baseURL }));
    await ada.keep('API_KEY');
    await ada.keep('HEADER_KEY', { injection_location: { header: true } });
    await ada.keep('BODY_KEY', { injection_location: { body: true } });
    await ada.keep('GONE_KEY');
    await bob.keep('API_KEY');
    [adas, bobs] = [await newSession(environment, [ada.id]), await newSession(environment, [bob.id])];
  });
  afterAll(async () => {
    await service.close();
    await target.close();
  });

  async function newVault(user: string, client: Pick<typeof service.client, 'beta'> | Anthropic104 = service.client) {
    const { vaults } = client.beta;
    const { id } = await vaults.create({ display_name: user, metadata: { [USER_KEY]: user } });
    const credentials = new Map<string, string>();
    return {
      id,
      credentials,
      /** A secret for `localhost`, unless the changes say otherwise. */
      async keep(name: string, changes: object = {}) {
        const secret_value = newCanary(`${user}${name}`.replaceAll('_', '').toLowerCase());
        const auth = { type: 'environment_variable' as const, secret_name: name, secret_value, networking: HERE };
        const made = await vaults.credentials.create(id, { auth: { ...auth, ...changes } });
        credentials.set(name, made.id);
        return secret_value;
      },
    };
  }

  async function newSession(environment: string, vault_ids: readonly string[]): Promise<string> {
    const { agents, sessions } = service.client.beta;
    const tools = [{ type: 'agent_toolset_20260401' as const }];
    const agent = await agents.create({ name: 'Ada', model: 'claude-opus-5', tools });
    return (await sessions.create({ agent: agent.id, environment_id: environment, vault_ids: [...vault_ids] })).id;
  }

  async function converse(session: string, command: string): Promise<readonly Event[]> {
    service.standIn.script(calling(bash(PRELUDE + command)));
    return service.converse(session, 'go');
  }
  const run = async (session: string, command: string): Promise<string> =>
    ofType(await converse(session, command), 'agent.tool_result')
      .map(textOf)
      .join('\n');

  const leaksIn = (places: Iterable<readonly [string, string]>) => placesWith([...canaries.values()], places);
  const secretOf = (kind: string) => canaries.get(kind) ?? expect.fail(`no canary ${kind}`);
  const lastAbout = (text: string): Got => target.about(text).at(-1) ?? expect.fail(`no request about ${text}`);

  it('send the secret in headers and bodies where they may, and never see it', async () => {
    const seen = await run(
      adas,
      [
        'echo "value: $API_KEY"',
        `curl -sS -i -H "Authorization: Bearer $API_KEY" -H "X-Key: $API_KEY" ${api}/header`,
        `curl -sS -u "me:$API_KEY" ${api}/basic`,
        `curl -sS -d "key=$API_KEY" ${api}/form`,
        `curl -sS -H 'content-type: application/json' -H 'transfer-encoding: chunked' -d '{"key":"'$API_KEY'"}' ${api}/chunked`,
        `curl -sS -H "X-Key: $HEADER_KEY" -d "$HEADER_KEY" ${api}/header-only`,
        `curl -sS -H "X-Key: $BODY_KEY" -d "$BODY_KEY" ${api}/body-only`,
        `node -e 'fetch("${api}/node", {headers: {"x-key": process.env.API_KEY}}).then(async (r) => console.log(await r.text()))'`,
      ].join('; echo; '),
    );
    const key = secretOf('adaapikey');
    const placeholder = /value: (placeholder_[0-9a-f]{48})/.exec(seen)?.[1] ?? expect.fail(seen);
    expect(lastAbout('/header').headers).toMatchObject({ authorization: `Bearer ${key}`, 'x-key': key });
    expect(lastAbout('/basic').headers['authorization']).toBe(`Basic ${btoa(`me:${key}`)}`);
    expect(lastAbout('/form').body).toBe(`key=${key}`);
    expect(lastAbout('/chunked').body).toBe(JSON.stringify({ key }));
    expect(lastAbout('/node').headers['x-key']).toBe(key);
    expect(lastAbout('/header-only')).toMatchObject({
      headers: { 'x-key': secretOf('adaheaderkey') },
      body: expect.stringMatching(/^placeholder_/),
    });
    expect(lastAbout('/body-only')).toMatchObject({
      headers: { 'x-key': expect.stringMatching(/^placeholder_/) },
      body: secretOf('adabodykey'),
    });
    expect(placeholder).not.toContain(key);
    expect(leaksIn([['result', seen]])).toEqual([]);
    // What the server echoes is the placeholder again.
    expect(seen).toContain(`x-echo: ${placeholder}`);
    await rotate();
  });

  const recordsTable = () =>
    service.runtime.template.tables.map(({ name }) => name).find((name) => /records/i.test(name)) ??
    expect.fail('no table');
  async function relayOf(id: string) {
    const hand = mainHand(SessionId.parse(id));
    const dynamodb = engineClient(service.runtime);
    const record = await createSandboxRecords(dynamodb, recordsTable()).find(hand);
    dynamodb.destroy();
    if (record?.status !== 'ready') return expect.fail('no sandbox');
    return { caller: callerOf({ ...hand, generation: record.generation }), token: egressToken({ hmac }, record.token) };
  }
  async function proxyAddress(): Promise<string> {
    const dynamodb = engineClient(service.runtime);
    const record = await createProxyRecords(dynamodb, recordsTable()).find({ slot: 0 });
    dynamodb.destroy();
    return record?.status === 'ready' ? record.address : expect.fail('no proxy');
  }

  /** A grant is kept for half a minute, so other tests come in between. */
  async function rotate(): Promise<void> {
    await run(adas, `curl -sS -H "X-Key: $GONE_KEY" ${api}/later`);
    expect(lastAbout('/later').headers['x-key']).toBe(secretOf('adagonekey'));
    const { credentials } = service.client.beta.vaults;
    const idOf = (name: string) => ada.credentials.get(name) ?? expect.fail(`no credential ${name}`);
    const auth = { type: 'environment_variable' as const, secret_value: newCanary('rotated') };
    await credentials.update(idOf('HEADER_KEY'), { vault_id: ada.id, auth });
    await credentials.archive(idOf('GONE_KEY'), { vault_id: ada.id });
    rotatedAt = Date.now();
  }

  it('cannot get at a secret, at another session or out of their network', async () => {
    const { port, plainPort } = target;
    const placeholder = PLACEHOLDER.exec(await run(bobs, 'env'))?.[0] ?? expect.fail('no placeholder');
    const other = { ...(await relayOf(bobs)), placeholder };
    const tries = triesIn({ port, plainPort, proxy: await proxyAddress(), other });
    const printed = await run(adas, scriptOf(tries));
    expect(failedIn(tries, printed)).toEqual([]);
    expect(target.about('/never')).toEqual([]);
    expect(lastAbout('/deputy').headers['x-key']).toBe(other.placeholder);
    expect(lastAbout('/url').url).toMatch(/key=placeholder_/);
    for (const path of ['/landed', '/referer', '/attacker', '/plain', '/deputy', '/url']) {
      expect(leaksIn([[path, JSON.stringify(target.about(path))]])).toEqual([]);
    }
    expect(leaksIn([['printed', printed]])).toEqual([]);
  });

  it('have the secret of their own session’s user only', async () => {
    const command = `curl -sS -H "X-Key: $API_KEY" ${api}/whose`;
    await run(adas, command);
    await run(bobs, command);
    expect(target.about('/whose').map(({ headers }) => headers['x-key'])).toEqual([
      secretOf('adaapikey'),
      secretOf('bobapikey'),
    ]);
  });

  it('cost a session that only talks one read: that of the vault, at its creation', async () => {
    const { faults } = service.runtime;
    const { id: environment } = await service.client.beta.environments.create({ name: 'talk' });
    const created = async (vaults: readonly string[]) => {
      const id = await newSession(environment, vaults);
      // Others read meanwhile: `egress`, for the proxy, and the stream of an earlier session.
      const ofCreation = faults.trace().filter((one) => one.function === 'api' && one.call === 'dynamodb:GetItem');
      return { id, reads: ofCreation.length };
    };
    faults.disarm();
    const { reads } = await created([]);
    faults.disarm();
    const talking = await created([ada.id]);
    expect(talking.reads).toBe(reads + 1);
    service.standIn.script(echo);
    await service.converse(talking.id, 'hello');
    const asked = new Set(faults.trace().map((call) => call.function));
    expect(asked).toContain('harness');
    // The proxy reports what other sessions did to `egress` meanwhile.
    for (const never of ['provision', 'execute', 'mcp-proxy']) expect(asked).not.toContain(never);
  });

  it('have a variable that no host may get: people are told once, and the placeholder stays', async () => {
    const config = { type: 'cloud' as const, networking: { type: 'limited' as const, allowed_hosts: ['localhost'] } };
    const { id: environment } = await service.client.beta.environments.create({ name: 'narrow', config });
    const vault = await newVault('ada');
    await vault.keep('FAR_KEY', { networking: { type: 'limited', allowed_hosts: ['far.example.com'] } });
    await vault.keep('API_KEY');
    const session = await newSession(environment, [vault.id]);
    const printed = await run(
      session,
      `echo "far: $FAR_KEY"; curl -sS -H "X-Key: $FAR_KEY" -H "X-Own: $API_KEY" ${api}/far`,
    );
    await run(session, 'echo again');
    const errors = ofType(await service.events(session), 'session.error').map(({ error }) => error);
    expect(errors).toMatchObject([
      {
        type: 'credential_host_unreachable_error',
        ...{ vault_id: vault.id, credential_id: vault.credentials.get('FAR_KEY'), retry_status: { type: 'retrying' } },
      },
    ]);
    expect(printed).toMatch(/far: placeholder_/);
    expect(lastAbout('/far').headers).toMatchObject({
      'x-key': expect.stringMatching(/^placeholder_/),
      'x-own': secretOf('adaapikey'),
    });
  });

  it('have a rotated secret, and none that was archived, within a minute', async () => {
    const curl = `curl -sS -H "X-Key: $HEADER_KEY" -H "X-Gone: $GONE_KEY" ${api}/later`;
    await run(
      adas,
      `for try in $(seq 60); do ${curl} | grep -q '"withPlaceholder":\\["x-gone"' && break; sleep 1; done`,
    );
    expect(Date.now() - rotatedAt).toBeLessThan(60_000);
    expect(lastAbout('/later').headers).toMatchObject({
      'x-key': secretOf('rotated'),
      'x-gone': expect.stringMatching(/^placeholder_/),
    });
  }, 90_000);

  it('leave no trace of a secret anywhere, and records of who was given it', async () => {
    expect(leaksIn(await service.rows())).toEqual([]);
    expect(leaksIn(service.written())).toEqual([]);
    expect(leaksIn([['executions', service.executed()]])).toEqual([]);
    expect(leaksIn([['model', JSON.stringify(service.standIn.requests)]])).toEqual([]);
    const events = await Promise.all([adas, bobs].map((session) => service.events(session)));
    expect(leaksIn([['events', JSON.stringify(events)]])).toEqual([]);
    const stored = [...service.secretFiles().values()].join();
    expect(stored).toContain(secretOf('bobapikey'));
    const { body } = await service.extension('GET', `/v1/x/audit?kind=secret&session_id=${bobs}`);
    const { data } = body as { readonly data: readonly { readonly entry: object }[] };
    expect(data.map(({ entry }) => entry)).toMatchObject([
      { kind: 'secret', user: 'bob', credential: bob.credentials.get('API_KEY'), credential_version: 1 },
    ]);
  });
});

const PLACEHOLDER = /placeholder_[0-9a-f]{48}/;
