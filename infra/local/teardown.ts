export interface Teardown {
  /** Registers how to undo what was just started. */
  add(undo: () => Promise<void> | void): void;
  /** Undoes everything, the latest first. A second call waits for the first. */
  run(): Promise<void>;
}

function createTeardown(): Teardown {
  const undos: (() => Promise<void> | void)[] = [];
  let running: Promise<void> | null = null;
  const undoAll = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const undo of undos.toReversed()) {
      try {
        await undo();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be stopped.');
  };
  return {
    add: (undo) => void undos.push(undo),
    run: () => (running ??= undoAll()),
  };
}

/** @throws what `start` throws, after everything that it had started is stopped again */
export async function startOrUndo<T>(start: (teardown: Teardown) => Promise<T>): Promise<T> {
  const teardown = createTeardown();
  try {
    return await start(teardown);
  } catch (error) {
    await teardown.run();
    throw error;
  }
}
