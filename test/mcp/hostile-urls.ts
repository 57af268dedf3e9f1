/** URLs to which the service must send no request (docs/security.md#outgoing-requests). */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Resolve } from '#aws/outbound/redirects.https.ts';

export const HOSTILE_URLS: readonly (readonly [what: string, url: string])[] = [
  ['loopback', 'https://127.0.0.1/mcp'],
  ['the runtime API of a Lambda function', 'http://127.0.0.1:9001/2018-06-01/runtime/invocation/next'],
  ['a decimal address', 'https://2130706433/mcp'],
  ['a hexadecimal address', 'https://0x7f.0x0.0x0.0x1/mcp'],
  ['an octal address', 'https://0177.0.0.1/mcp'],
  ['a short address', 'https://127.1/mcp'],
  ['zero', 'https://0.0.0.0/mcp'],
  ['instance metadata', 'http://169.254.169.254/latest/meta-data/iam/security-credentials/'],
  ['a container’s credentials', 'https://169.254.170.2/v2/credentials'],
  ['a private address', 'https://10.0.0.5/mcp'],
  ['another private address', 'https://172.16.0.1/mcp'],
  ['one more private address', 'https://192.168.1.1/mcp'],
  ['a carrier’s shared address', 'https://100.64.0.1/mcp'],
  ['IPv6 loopback', 'https://[::1]/mcp'],
  ['an IPv4-mapped address', 'https://[::ffff:10.0.0.1]/mcp'],
  ['a NAT64 address', 'https://[64:ff9b::a9fe:a9fe]/mcp'],
  ['a 6to4 address', 'https://[2002:7f00:1::]/mcp'],
  ['a unique local address', 'https://[fd00:ec2::254]/mcp'],
  ['localhost', 'https://localhost/mcp'],
  ['localhost with a trailing dot', 'https://localhost./mcp'],
  ['a name inside', 'https://metadata.google.internal/mcp'],
  ['credentials before the host', 'https://mcp.example.com@10.0.0.1/mcp'],
  ['plain http', 'http://mcp.example.com/mcp'],
  ['a file', 'file:///etc/passwd'],
];

/** A resolver that gives these answers in turn and repeats the last one. It records the names. */
export function rebinding(...answers: readonly (readonly string[])[]): {
  readonly resolve: Resolve;
  readonly questions: readonly string[];
} {
  const questions: string[] = [];
  return {
    questions,
    async resolve(host) {
      questions.push(host);
      return answers[Math.min(questions.length, answers.length) - 1] ?? [];
    },
  };
}

/** The number of sockets that this process begins to open during `work`. */
export async function socketsDuring(work: () => Promise<unknown>): Promise<number> {
  let sockets = 0;
  const count = () => void (sockets += 1);
  subscribe('net.client.socket', count);
  try {
    await work();
    return sockets;
  } finally {
    unsubscribe('net.client.socket', count);
  }
}
