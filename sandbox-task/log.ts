/** Writes one line of facts: ids, names, counts and durations, and never the input or output of a tool. */
export type Log = (level: 'INFO' | 'ERROR', message: string, facts?: Readonly<Record<string, unknown>>) => void;

export const logLine: Log = (level, message, facts = {}) => {
  const line = { level, message, service: 'sandbox', timestamp: new Date().toISOString(), ...facts };
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

// Without a reader of its output the server goes on. Without this listener each lost line would raise an error, and the
// handler of that error would write another line.
process.stdout.on('error', () => undefined);
