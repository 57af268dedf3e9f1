/**
 * Random interleavings of instances that need one credential's token, a client that renames the credential, and a
 * server that is down at times; each instance may die at any port call. In every case the token family is lost only
 * when an instance died between the server's answer and the row, and then no instance asks in a loop.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { OutboundAnswer } from '#core/ports/outbound.ts';
import { createTokens } from '#core/vault/tokens.ts';
import type { RefreshWorld } from '#core/vault/refresh.ts';
import type { Bearer, NoBearer } from '#core/ports/tokens.ts';
import type { RefreshLeases } from '#core/ports/vault-records.ts';
import { NOW, SILENT, steadyStamp } from '#test/functions/core/given.ts';
import {
  FOREVER,
  memorySecrets,
  newCredential,
  PLACE,
  secretsOf,
  SERVER_URL,
  VAULT,
} from '#test/functions/core/vault/refresh.fixture.ts';
import { createGrants } from '#test/mcp/grants.ts';
import { memoryLeases } from '#test/ports/refresh-leases.memory.ts';
import { propertyRuns } from '#test/property-runs.ts';

class Killed extends Error {}

/** How often an instance may call a port before it dies; 0 never dies. */
type Life = number;

const TOKEN_ENDPOINT = 'https://auth.example.com/token';

function theatre(scheduler: fc.Scheduler, down: readonly boolean[]) {
  const stamp = steadyStamp();
  const grants = createGrants(3600, () => Date.parse(stamp.now()));
  const first = grants.begin({ client: 'client-1', subject: 'alice', scope: '', resource: null });
  const secrets = memorySecrets();
  const rows = memoryLeases();
  const refresh = {
    client_id: 'client-1',
    token_endpoint: TOKEN_ENDPOINT,
    token_endpoint_auth: { type: 'none' as const },
    resource: null,
    scope: null,
  };
  const auth = { type: 'mcp_oauth' as const, mcp_server_url: SERVER_URL, expires_at: NOW, refresh };
  /**
   * Instances that hold a lease and live. Time does not pass while there is one, because a lease is longer than a
   * refresh.
   */
  const holders = new Set<number>();
  /** Instances that have an answer which is not stored in the row yet. */
  const owing = new Set<number>();
  const seen = { asked: 0, lost: false, isOver: false };
  let names = 0;

  function answer(body: string): OutboundAnswer {
    seen.asked += 1;
    const reply = (code: number, said: unknown): OutboundAnswer => ({
      status: 'answered',
      code,
      headers: {},
      body: new TextEncoder().encode(JSON.stringify(said)),
      url: TOKEN_ENDPOINT,
    });
    if (!seen.isOver && down[seen.asked - 1] === true) return reply(503, 'down');
    const issued = grants.refresh('client-1', new URLSearchParams(body).get('refresh_token') ?? '', false);
    return issued === null ? reply(400, { error: 'invalid_grant' }) : reply(200, issued);
  }

  function instance(life: Life) {
    const self = (names += 1);
    let left = life === 0 ? Number.POSITIVE_INFINITY : life;

    function killed(): never {
      holders.delete(self);
      if (owing.delete(self)) seen.lost = true;
      throw new Killed();
    }

    async function act<Value>(work: () => Promise<Value>): Promise<Value> {
      await scheduler.schedule(Promise.resolve());
      if (left <= 0) return killed();
      left -= 1;
      const value = await work();
      // A death after the effect and before its answer is the hardest case.
      return left <= 0 ? killed() : value;
    }

    const ended = async <Value>(work: () => Promise<Value>): Promise<Value> => {
      const value = await work();
      holders.delete(self);
      return value;
    };
    const leases: RefreshLeases = {
      take: (place, version, lease) =>
        act(async () => {
          const taken = await rows.leases.take(place, version, lease);
          if (taken === 'taken') holders.add(self);
          return taken;
        }),
      rotated: (place, held, change) =>
        act(async () => {
          const saved = await rows.leases.rotated(place, held, change);
          if (saved === 'saved') [holders, owing].forEach((set) => set.delete(self));
          return saved;
        }),
      revoked: (place, held) => act(() => ended(() => rows.leases.revoked(place, held))),
      failed: (place, held, cooldown) => act(() => ended(() => rows.leases.failed(place, held, cooldown))),
    };
    const world: RefreshWorld = {
      credentials: { find: (place) => act(() => rows.credentials.find(place)) },
      leases,
      secrets: {
        read: (...args) => act(() => secrets.read(...args)),
        write: (...args) => act(() => secrets.write(...args)),
      },
      outbound: {
        fetch: ({ body = '' }) =>
          act(async () => {
            const reply = answer(body);
            if (reply.code === 200) owing.add(self);
            return reply;
          }),
      },
      identityOutbound: { fetch: () => expect.fail('no identity is refreshed') },
      stamp,
      pause: async (ms) => {
        await scheduler.schedule(Promise.resolve());
        if (holders.size === 0) stamp.advance(ms);
      },
      newToken: () => `instance-${self}`,
      random: () => 0.5,
      enterprise: null,
      journal: SILENT,
    };
    const tokens = createTokens(world);
    return async function call(): Promise<Bearer | NoBearer | 'killed'> {
      try {
        const stored = (await world.credentials.find(PLACE)) ?? expect.fail('the row is gone');
        return await tokens.bearer({ vault: VAULT, stored }, FOREVER);
      } catch (error) {
        if (error instanceof Killed) return 'killed';
        throw error;
      }
    };
  }

  async function rename(name: string): Promise<void> {
    await scheduler.schedule(Promise.resolve());
    const row = (await rows.credentials.find(PLACE)) ?? expect.fail('the row is gone');
    await scheduler.schedule(Promise.resolve());
    const credential = { ...row.credential, display_name: name };
    await rows.credentials.replace({ ...row, credential, version: row.version + 1 });
  }

  return {
    stamp,
    grants,
    first,
    seen,
    instance,
    rename,
    begin: () => rows.save(newCredential(auth, secrets.seed(secretsOf(first)), NOW)),
    row: () => rows.credentials.find(PLACE),
  };
}

it('in any interleaving of refreshes, the token family is lost only when the holder of its only token dies, without a loop', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.nat({ max: 8 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.boolean(), { maxLength: 4 }),
      fc.nat({ max: 3 }),
      async (scheduler, lives, down, renames) => {
        const stage = theatre(scheduler, down);
        await stage.begin();
        const acts = lives.map((life) => stage.instance(life)());
        const renaming = Array.from({ length: renames }, (_, index) => stage.rename(`name ${index}`));
        await scheduler.waitFor(Promise.all([...acts, ...renaming]));

        // Leases of the dead and cool-downs run out, and the server is up again.
        stage.seen.isOver = true;
        stage.stamp.advance(1_000_000);
        const survivor = stage.instance(0);
        await scheduler.waitFor(survivor());
        const asked = stage.seen.asked;
        const last = await scheduler.waitFor(survivor());
        if (last === 'killed') expect.fail('a survivor died');
        if (!stage.seen.lost) {
          expect(stage.grants.isAlive(stage.first.refresh_token)).toBe(true);
          expect(stage.grants.accepts(last.status === 'bearer' ? last.token : '')).not.toBeNull();
          return;
        }
        expect(last.status).toBe((await stage.row())?.state === 'ok' ? 'bearer' : 'needs_reauth');
        if (last.status === 'needs_reauth') expect(stage.seen.asked).toBe(asked);
      },
    ),
    { numRuns: propertyRuns(500) },
  );
});
