import { describe, expect, it, onTestFinished } from 'vitest';
import { bearer, callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { startHostile, type Hostility } from '#test/mcp/hostile.ts';
import { listenHere } from '#test/mcp/listening.ts';

const DEADLINE_MS = 1000;
/** Beyond the deadline: what it takes to notice, and to say goodbye. */
const GRACE_MS = 1500;

/** With what each hostility ends, for a list and for a call. */
const ENDINGS: readonly (readonly [Hostility, list: string, call: string])[] = [
  ['endless pages', 'too_large', 'bad_answer'],
  ['too many tools', 'too_large', 'bad_answer'],
  ['a page of HTML', 'bad_answer', 'bad_answer'],
  ['gigabytes', 'too_large', 'too_large'],
  ['gigabytes of events', 'too_large', 'too_large'],
  ['a slow drip', 'timeout', 'timeout'],
  ['a slow drip of events', 'timeout', 'timeout'],
  ['silence', 'timeout', 'timeout'],
  ['a wrong id', 'bad_answer', 'bad_answer'],
  ['no JSON', 'bad_answer', 'bad_answer'],
  ['JSON of another kind', 'bad_answer', 'bad_answer'],
  ['garbage for events', 'bad_answer', 'bad_answer'],
  ['a redirect to another origin', 'blocked', 'blocked'],
  ['a broken connection', 'unreachable', 'unreachable'],
  ['headers without end', 'bad_answer', 'bad_answer'],
];

describe('an MCP server that answers with', () => {
  it.each(ENDINGS)('%s is a failure within the deadline', async (hostility, list, call) => {
    const evil = await listenHere((_incoming, outgoing) => void outgoing.end('caught'));
    onTestFinished(evil.close);
    const { url } = await startHostile(hostility, evil.origin);
    const client = clientForTests({ maxBytes: 3_000_000 });
    const target = () => targetOf(url, { bearer: bearer('s3cr3t'), deadline: Date.now() + DEADLINE_MS });
    const begun = Date.now();

    const failures = await Promise.all([
      client.listTools(target(), ON),
      client.callTool(target(), callOf('sum', { a: 1 }), ON),
    ]);

    expect(failures).toMatchObject([
      { status: 'failed', kind: list, method: 'tools/list' },
      { status: 'failed', kind: call, method: 'tools/call', sent: call !== 'blocked' },
    ]);
    expect(Date.now() - begun).toBeLessThan(DEADLINE_MS + GRACE_MS);
    expect(evil.connections()).toBe(0);
    const told = failures.flatMap((failure) => (failure.status === 'failed' ? [failure.message, failure.detail] : []));
    expect(told.join('\n')).not.toMatch(/Please log in|s3cr3t|127\.0\.0\.1:\d+\/mcp/);
  });

  it('gigabytes holds no more of them than it may', async () => {
    const { url } = await startHostile('gigabytes');
    const before = process.memoryUsage().rss;
    await clientForTests().callTool(targetOf(url), callOf('sum'), ON);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });
});
