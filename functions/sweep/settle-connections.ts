/** Finishes connections whose process died between their user's yes or no and telling the waiting calls. */
import type { Instant } from '#contract/ids.ts';
import { settleConnection } from '#core/connect/settle-connection.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { SweepWorld } from '#aws/worlds/sweep.ts';

/** One after the other: there are few, because only a function that died leaves one. */
export async function settleConnections(
  { connecting, journal }: Pick<SweepWorld, 'connecting' | 'journal'>,
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
