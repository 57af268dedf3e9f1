/** A refresh dies, or its stores fail, between any two of its steps: what the next call finds. */
import { describe, expect, it } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import type { RefreshWorld } from '#core/vault/refresh.ts';
import type { RefreshLeases } from '#core/ports/vault-records.ts';
import { connected, PLACE, tokenIn } from '#test/functions/core/vault/refresh.fixture.ts';

/** The error of a dead process at its next port call. */
const die = async (): Promise<never> => {
  throw new TypeError('killed');
};

type Setup = Awaited<ReturnType<typeof connected>>;

const leasesWith = ({ world }: Setup, changed: Partial<RefreshLeases>): Partial<RefreshWorld> => ({
  leases: { ...world.leases, ...changed },
});
const secretsWith = ({ world }: Setup, write: RefreshWorld['secrets']['write']): Partial<RefreshWorld> => ({
  secrets: { read: world.secrets.read, write },
});

describe('a refresh that is killed', () => {
  it('before the request makes the next call wait for the end of the lease, and refresh', async () => {
    const setup = await connected();
    await expect(setup.engine({ outbound: { fetch: die } }).bearer()).rejects.toThrow('killed');
    expect((await setup.row()).lease).not.toBeNull();
    expect(setup.server.grants.accepts(tokenIn(await setup.bearer()))).not.toBeNull();
    expect(setup.server.tokenRequests).toHaveLength(1);
    expect(Date.parse(setup.stamp.now()) - Date.parse('2026-11-21T10:00:15.000Z')).toBeLessThan(1000);
  });

  it.each<[string, (setup: Setup) => Partial<RefreshWorld>]>([
    ['between the answer and the secrets', (setup) => secretsWith(setup, die)],
    ['between the secrets and the row', (setup) => leasesWith(setup, { rotated: die })],
  ])('%s makes the next call ask once and then need a new consent, without a loop', async (_name, killed) => {
    const setup = await connected();
    const { server, bearer, engine, row, lines } = setup;
    await expect(engine(killed(setup)).bearer()).rejects.toThrow('killed');
    expect(server.tokenRequests).toHaveLength(1);
    expect(await bearer()).toMatchObject({ status: 'needs_reauth' });
    for (const other of [engine(), engine()]) expect(await other.bearer()).toMatchObject({ status: 'needs_reauth' });
    expect(server.tokenRequests).toHaveLength(2);
    expect(await row()).toMatchObject({ state: 'needs_reauth', lease: null });
    expect(lines.map(({ outcome }) => outcome)).toEqual(['revoked']);
  });

  it('between the answer and the row, with a server that forgives a second use, makes the next call succeed', async () => {
    const setup = await connected({ server: { rotation: false } });
    await expect(setup.engine(secretsWith(setup, die)).bearer()).rejects.toThrow('killed');
    expect(setup.server.grants.accepts(tokenIn(await setup.bearer()))).not.toBeNull();
  });

  it('after the row leaves the new token in force, and no call asks again', async () => {
    const setup = await connected();
    const { leases } = setup.world;
    const rotated: RefreshLeases['rotated'] = async (...args) => {
      await leases.rotated(...args);
      return die();
    };
    await expect(setup.engine(leasesWith(setup, { rotated })).bearer()).rejects.toThrow('killed');
    expect(setup.server.grants.accepts(tokenIn(await setup.bearer()))).not.toBeNull();
    expect(setup.server.tokenRequests).toHaveLength(1);
  });

  it('by a broken connection after the server has rotated leads to one more request and a new consent', async () => {
    const { server, bearer, stamp, row } = await connected();
    server.answer({ do: 'rotate and drop' });
    expect(await bearer()).toMatchObject({ status: 'unavailable', retryAfterMs: 30_000 });
    stamp.advance(30_000);
    expect(await bearer()).toMatchObject({ status: 'needs_reauth' });
    expect(await bearer()).toMatchObject({ status: 'needs_reauth' });
    expect(server.tokenRequests).toHaveLength(2);
    expect((await row()).state).toBe('needs_reauth');
  });
});

describe('a secret store that fails after the server has rotated the tokens', () => {
  const throttled = () => new Fault('secret_unavailable', 'throttled');

  it('and then recovers has the tokens in force after one token request', async () => {
    const setup = await connected();
    const left = [throttled(), throttled()];
    const write: RefreshWorld['secrets']['write'] = async (...args) => {
      const fault = left.pop();
      if (fault !== undefined) throw fault;
      return setup.secrets.write(...args);
    };
    const token = tokenIn(await setup.engine(secretsWith(setup, write)).bearer());
    expect(await setup.row()).toMatchObject({ version: 2, lease: null });
    expect(tokenIn(await setup.bearer())).toBe(token);
    expect(setup.server.tokenRequests).toHaveLength(1);
  });

  it('for the whole lease leaves the token usable for this call, and the row says that it is not stored', async () => {
    const setup = await connected();
    const { row, stamp, lines, server } = setup;
    const before = await row();
    const write = async () => Promise.reject(throttled());
    const failing = setup.engine(secretsWith(setup, write));
    expect(server.grants.accepts(tokenIn(await failing.bearer()))).not.toBeNull();
    expect(await row()).toEqual({ ...before, lease: { owner: 'engine-1', until: '2026-11-21T10:00:15.000Z' } });
    expect(Date.parse(stamp.now())).toBeLessThanOrEqual(Date.parse('2026-11-21T10:00:15.000Z'));
    expect(lines).toMatchObject([{ outcome: 'unsaved' }]);
  });

  it('and loses only its answer finds its own tokens in force on the repeat', async () => {
    const setup = await connected();
    let lost = 0;
    const rotated: RefreshLeases['rotated'] = async (...args) => {
      const saved = await setup.world.leases.rotated(...args);
      lost += 1;
      if (lost === 1) throw new Fault('records_unavailable', 'the answer was lost');
      return saved;
    };
    const token = tokenIn(await setup.engine(leasesWith(setup, { rotated })).bearer());
    expect(tokenIn(await setup.bearer())).toBe(token);
    expect(setup.lines).toMatchObject([{ outcome: 'rotated' }]);
    expect(setup.server.tokenRequests).toHaveLength(1);
  });

  it('and cannot be read before the request fails the call, and leaves no lease behind', async () => {
    const setup = await connected();
    const read = async () => Promise.reject(throttled());
    await expect(setup.engine({ secrets: { ...setup.secrets, read } }).bearer()).rejects.toThrow('throttled');
    expect((await setup.row()).lease).toBeNull();
    expect(setup.server.tokenRequests).toEqual([]);
  });
});

describe('a credential that a client changes during a refresh', () => {
  /** `happens` runs when the server is asked. */
  function meanwhile(setup: Setup, change: () => Promise<unknown>): Partial<RefreshWorld> {
    const { outbound } = setup.world;
    return {
      outbound: {
        fetch: async (request) => {
          await change();
          return outbound.fetch(request);
        },
      },
    };
  }

  it('to another name gets its new tokens under the new name', async () => {
    const setup = await connected();
    const rename = async () => {
      const now = await setup.row();
      const credential = { ...now.credential, display_name: 'renamed' };
      await setup.rows.credentials.replace({ ...now, credential, version: now.version + 1 });
    };
    const token = tokenIn(await setup.engine(meanwhile(setup, rename)).bearer());
    expect(await setup.row()).toMatchObject({ version: 3, credential: { display_name: 'renamed' }, lease: null });
    expect(tokenIn(await setup.bearer())).toBe(token);
    expect(setup.server.tokenRequests).toHaveLength(1);
  });

  it('to archived is not used and stays archived', async () => {
    const setup = await connected();
    const archive = () => setup.rows.credentials.archive(PLACE, '2026-11-21T10:00:01.000Z');
    const answer = await setup.engine(meanwhile(setup, archive)).bearer();
    expect(answer).toMatchObject({ status: 'needs_reauth', detail: 'the credential is archived' });
    expect(await setup.row()).toMatchObject({ version: 2, credential: { archived_at: '2026-11-21T10:00:01.000Z' } });
  });

  it('by deleting it is not used', async () => {
    const setup = await connected();
    const remove = () => setup.rows.credentials.remove(PLACE);
    const answer = await setup.engine(meanwhile(setup, remove)).bearer();
    expect(answer).toMatchObject({ status: 'needs_reauth', detail: 'the credential is gone' });
  });
});
