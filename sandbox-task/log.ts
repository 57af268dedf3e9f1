/** Writes one line of facts: ids, names, counts and durations. Inputs and outputs of tools are never among them. */
export type Log = (level: 'INFO' | 'ERROR', message: string, facts?: Readonly<Record<string, unknown>>) => void;

export const logLine: Log = (level, message, facts = {}) => {
  const line = { level, message, service: 'sandbox', timestamp: new Date().toISOString(), ...facts };
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

// When nobody reads the lines any more the server goes on without them; unheard, each lost line would raise an error
// whose handler writes a line.
process.stdout.on('error', () => undefined);
