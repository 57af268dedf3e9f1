/** The token engine as a proxy instance has it: leases in the table, authorization servers over real HTTP. */
import { createTokens } from '#core/vault/tokens.ts';
import type { RefreshWorld } from '#core/vault/refresh.ts';
import type { Tokens } from '#core/ports/tokens.ts';
import { createRefreshLeases } from '#aws/vault/refresh-leases.dynamodb.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';
import { SILENT } from '#test/functions/core/given.ts';
import { outboundHere } from '#test/functions/core/vault/refresh.fixture.ts';
import type { TestDynamoDb } from '#test/ports/dynamodb.ts';

export function tokensOver(
  db: Pick<TestDynamoDb, 'client' | 'vaultTable'>,
  world: Pick<RefreshWorld, 'credentials' | 'secrets'> & Partial<RefreshWorld>,
): Tokens {
  return createTokens({
    leases: createRefreshLeases(db.client, db.vaultTable),
    outbound: outboundHere,
    identityOutbound: outboundHere,
    stamp: createStamp(),
    pause,
    newToken,
    random: Math.random,
    enterprise: null,
    journal: SILENT,
    ...world,
  });
}
