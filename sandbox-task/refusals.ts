/**
 * What the egress proxy refused, as its answers to `CONNECT` tell. A program such as `curl -s` shows nothing of it, so the
 * result of the call does. Answers to other requests may be those of servers, and are not read.
 */
/** What one result tells. */
const MOST_HOSTS = 5;
/** What is remembered until a result tells it. */
const MOST_REMEMBERED = 100;

const ASKED = /^CONNECT ([!-~]{1,300}):\d{1,5} HTTP\/1\.[01]\r\n/;
const REFUSED = /^HTTP\/1\.1 (?:403|407|503) ([ -~]{1,500})\r\n/;

interface Refusals {
  /** Reads the first lines of a request and of its answer. */
  read(asked: Buffer, answer: Buffer): void;
  /** No proxy could be reached, for this reason. */
  noWay(reason: string): void;
  /** Each host once. */
  take(): readonly string[];
}

export function refusalsSeen(): Refusals {
  const seen = new Map<string, string>();
  let without: string | null = null;

  return {
    read(asked, answer) {
      const [, host] = ASKED.exec(asked.toString('latin1')) ?? [];
      const [, sentence] = REFUSED.exec(answer.toString('latin1')) ?? [];
      if (host !== undefined && sentence !== undefined && seen.size < MOST_REMEMBERED) seen.set(host, sentence);
    },
    noWay: (reason) => void (without = reason),
    take() {
      const told = [...seen].slice(0, MOST_HOSTS).map(([host, why]) => `(The network rules refused ${host}: ${why}.)`);
      const more = seen.size - told.length;
      if (more > 0) told.push(`(They refused ${more} more hosts.)`);
      if (without !== null) told.push(`(A program could not reach the network: ${without}.)`);
      without = null;
      seen.clear();
      return told;
    },
  };
}
