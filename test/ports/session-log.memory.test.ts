import { fold } from '#core/session/evolve.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';
import { sessionLogSuite } from '#test/ports/session-log.suite.ts';

sessionLogSuite('memory', async () => {
  const log = memoryLog();
  return {
    log,
    async create(key, entries) {
      const head = fold(null, entries);
      log.create(key, head, entries);
      return head;
    },
    row: async () => null,
    close: async () => undefined,
  };
});
