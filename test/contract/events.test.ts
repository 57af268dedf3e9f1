import { describe, expect, it } from 'vitest';
import { EventType } from '#contract/event-types.ts';
import { SessionEvent } from '#contract/events.ts';
import { breachesOf } from './contract-fetch.ts';
import { EVENT_SAMPLES } from './event-samples.ts';

/**
 * Events of features that are not built: self-hosted environments. When the schema
 * accepts one of these samples, the test fails until the sample leaves this list and has every field checked.
 */
const LATER: readonly string[] = ['user.tool_result'];

const taken = EVENT_SAMPLES.filter(({ name }) => !LATER.includes(name));

describe('an event of the contract', () => {
  it.each(taken)('is accepted unchanged: $name', ({ event }) => {
    expect(breachesOf(SessionEvent, event)).toEqual([]);
  });

  it.each(taken)('is refused with an unknown field: $name', ({ event }) => {
    expect(breachesOf(SessionEvent, { ...event, colour: 'red' })).toEqual([expect.stringContaining('colour')]);
  });

  const fields = taken.flatMap(({ name, event, optional }) =>
    Object.keys(event)
      .filter((field) => !optional.includes(field))
      .map((field) => ({ name, event, field })),
  );
  it.each(fields)('is refused without its $field: $name', ({ event, field }) => {
    const { [field]: _left, ...rest }: Record<string, unknown> = { ...event };
    expect(breachesOf(SessionEvent, rest)).toEqual([expect.stringContaining(`${field}: `)]);
  });

  it.fails.each(EVENT_SAMPLES.filter(({ name }) => LATER.includes(name)))('is not accepted yet: $name', ({ event }) => {
    expect(breachesOf(SessionEvent, event)).toEqual([]);
  });
});

describe('the samples of events', () => {
  it('cover each type that the SDK can filter by except workflow runs, and no variant twice', () => {
    const types = new Set<string>(EVENT_SAMPLES.map(({ event }) => event.type));
    expect(EventType.options.filter((type) => !type.startsWith('workflow_run.') && !types.has(type))).toEqual([]);
    const names = EVENT_SAMPLES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(LATER.filter((name) => !names.includes(name))).toEqual([]);
  });
});
