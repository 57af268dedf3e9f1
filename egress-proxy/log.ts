/** Writes one line of facts: ids, hosts, counts and durations, and never a header, a path, a body or a secret. */
export type Log = (level: 'INFO' | 'ERROR', message: string, facts?: Readonly<Record<string, unknown>>) => void;

export const logLine: Log = (level, message, facts = {}) => {
  const line = { level, message, service: 'egress-proxy', timestamp: new Date().toISOString(), ...facts };
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

// Without a reader of its output the proxy goes on, as the sandbox's server does.
process.stdout.on('error', () => undefined);
