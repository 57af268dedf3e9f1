import { describe, expect, it } from 'vitest';
import type { OpenCall } from '#contract/entries.ts';
import { EventId } from '#contract/ids.ts';
import { callsBefore, readyCalls } from '#core/session/waiting.ts';
import { given } from '#test/functions/core/given.ts';

/** A state with these open calls, by name: `bash?` has to be confirmed, `tracker:find` is an MCP call. */
function stateWith(...names: readonly string[]) {
  const calls = names.map((written, index): OpenCall => {
    const [server, tool] = written.includes(':') ? written.split(':') : [null, written];
    return {
      id: EventId.parse(`sevt_${index}`),
      name: String(tool).replace(/[?!]/, ''),
      position: index + 1,
      waitsFor: written.endsWith('?') ? 'confirmation' : written.endsWith('!') ? 'client' : 'hand',
      server: server ?? null,
      sincePosition: index + 1,
      isConfirmed: false,
      isSuspended: false,
      handSincePosition: null,
    } as OpenCall;
  });
  return { ...given().head.state, calls };
}

describe('calls that hands can be given', () => {
  it.each([
    [
      ['bash', 'write', 'tracker:find', 'read'],
      [0, 1, 2, 3],
    ],
    [['bash', 'write?', 'bash', 'read'], [0]],
    [
      ['read?', 'read', 'grep', 'write'],
      [1, 2],
    ],
    [
      ['edit?', 'tracker:find', 'web_fetch', 'tracker:drop'],
      [1, 2, 3],
    ],
    [
      ['tracker:drop?', 'bash', 'web_fetch?', 'edit'],
      [1, 3],
    ],
    // A custom tool may have a name of the sandbox's.
    [['bash!', 'bash'], [1]],
  ])('are, of %j, the ones at %j', (names, ready) => {
    expect(readyCalls(stateWith(...names)).map(({ position }) => position - 1)).toEqual(ready);
  });
});

describe('the order of sandbox calls', () => {
  it.each([
    ['bash', ['read', 'tracker:find', 'glob', 'write', 'web_fetch'], [0, 2, 3]],
    ['read', ['read', 'bash', 'grep', 'edit', 'glob'], [1, 3]],
    ['web_fetch', ['bash', 'write'], []],
    ['tracker:find', ['bash', 'write'], []],
  ])('puts %s after those of %j at %j', (name, earlier, before) => {
    const state = stateWith(...earlier, name, 'write');
    const call = state.calls.at(-2);
    if (call === undefined) throw new RangeError('no call');
    expect(callsBefore(state, call).map(({ position }) => position - 1)).toEqual(before);
  });
});
