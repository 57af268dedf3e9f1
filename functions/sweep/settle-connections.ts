/** Finishes connections whose process died between their user's yes or no and telling the waiting calls. */
import type { Instant } from '#contract/ids.ts';
import type { SettleWorld } from '#core/connect/connect-world.ts';
import { settleConnection } from '#core/connect/settle-connection.ts';
import { errorClass } from '#core/ports/errors.ts';

interface SettleConnectionsWorld {
  readonly connecting: SettleWorld;
  readonly journal: { readonly logger: { error(message: string, fields: Readonly<Record<string, string>>): void } };
}

/** One after the other: there are few, because only a function that died leaves one. */
export async function settleConnections(
  { connecting, journal }: SettleConnectionsWorld,
  before: Instant,
): Promise<void> {
  for await (const id of connecting.connections.unsettled(before)) {
    try {
      const record = await connecting.connections.find(id);
      if (record !== null) await settleConnection(connecting, record);
    } catch (error) {
      // The others must not wait for this one; the next sweep tries it again.
      journal.logger.error('sweep', { connect: id, error_class: errorClass(error) });
    }
  }
}
