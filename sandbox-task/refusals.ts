/**
 * What the egress proxy refused, as its answers to `CONNECT` tell. A program such as `curl -s` shows nothing of it, so the
 * result of the call does. Answers to other requests may be those of servers, and are not read.
 */
import type { Socket } from 'node:net';

const MAX_LINE = 1024;
/** What one result tells. */
const MOST_HOSTS = 5;
/** What is remembered until a result tells it. */
const MOST_REMEMBERED = 100;

const ASKED = /^CONNECT ([!-~]{1,300}):\d{1,5} HTTP\/1\.[01]$/;
const REFUSED = /^HTTP\/1\.1 (?:403|407|503) ([ -~]{1,500})$/;

export interface Refusals {
  /** Reads the first line of each side. Before anything is piped. */
  watch(client: Socket, proxy: Socket): void;
  /** No proxy could be reached, for this reason. */
  noWay(reason: string): void;
  /** Each host once. */
  take(): readonly string[];
}

export function refusalsSeen(): Refusals {
  const seen = new Map<string, string>();
  let without: string | null = null;

  async function watch(client: Socket, proxy: Socket): Promise<void> {
    const [asked, answered] = [firstLine(client), firstLine(proxy)];
    const [, host] = ASKED.exec((await asked) ?? '') ?? [];
    const [, sentence] = REFUSED.exec((await answered) ?? '') ?? [];
    if (host === undefined || sentence === undefined || seen.size >= MOST_REMEMBERED) return;
    seen.set(host, sentence);
  }

  return {
    watch: (client, proxy) => void watch(client, proxy),
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

/** Null when the side ends without one. */
function firstLine(side: Socket): Promise<string | null> {
  return new Promise((resolve) => {
    let read: Buffer = Buffer.alloc(0);
    function onData(chunk: Buffer): void {
      read = Buffer.concat([read, chunk]);
      const end = read.indexOf('\n');
      if (end < 0 && read.length < MAX_LINE) return;
      settle(end < 0 ? null : read.toString('latin1', 0, end).trimEnd());
    }
    const onClose = () => settle(null);
    function settle(line: string | null): void {
      side.off('data', onData).off('close', onClose);
      resolve(line);
    }
    side.on('data', onData).on('close', onClose);
  });
}
