/** Which thread holds which hand: environments that agents bring, and sandboxes that threads lend each other. */
import { describe, expect, it } from 'vitest';
import { recordIn } from '#contract/entries.ts';
import { mainHand, type HandKey, type ThreadId } from '#contract/ids.ts';
import { heldHand } from '#core/session/waiting.ts';
import { toolDefinitions } from '#core/tools/tool-definitions.ts';
import { KEY, says } from '#test/functions/core/given.ts';
import {
  asks,
  calls,
  COORDINATOR,
  createTeamStage,
  follows,
  LAB,
  LAB_GUIDES,
  text,
  type TeamStage,
} from '#test/functions/core/team-stage.ts';

const PRIMARY = KEY.thread;
const MAIN = mainHand(KEY.session);

type Call = readonly [name: string, input?: object];

const ownHand = (thread: ThreadId): HandKey => ({ session: KEY.session, hand: thread });
const lending = (agent: string, sandbox: string) => asks(agent, 'Do it.', sandbox);
const lendingAgain = (thread: ThreadId, sandbox: string) => follows(thread, 'And more.', sandbox);

async function begun(...made: readonly Call[]): Promise<TeamStage> {
  const stage = await createTeamStage([says('hi')], { guides: LAB_GUIDES });
  await stage.says(PRIMARY, calls(...made));
  return stage;
}

async function team(...made: readonly Call[]): Promise<TeamStage> {
  const stage = await begun(...made);
  await stage.says(PRIMARY, text('They work.'));
  return stage;
}

const child = (stage: TeamStage, index = 0): ThreadId => stage.children()[index] ?? expect.fail(`no child ${index}`);

/** Where the call goes that the thread makes next, as its run's state machine is told. */
async function handOfNextCall(stage: TeamStage, thread: ThreadId): Promise<HandKey | undefined> {
  await stage.says(thread, calls(['bash', { command: 'ls' }]));
  const execution = stage.live().find((live) => live.thread === thread) ?? expect.fail('no execution');
  const [call] = execution.hands;
  if (call === undefined) return expect.fail('no call');
  await stage.useHand(execution, call);
  return call.hand;
}

/** Who holds which hand from when on, as a log tells it. */
function told(stage: TeamStage, thread: ThreadId): readonly string[] {
  return stage.entries(thread).flatMap((entry) => {
    const record = recordIn(entry);
    if (record?.kind === 'hand.held')
      return [`${record.holder.thread} holds ${record.hand.hand} of ${record.lender?.thread ?? 'its own'}`];
    return record?.kind === 'hand.left' ? [`${record.holder.thread} leaves ${record.hand.hand}: ${record.reason}`] : [];
  });
}

describe('an agent that brings an environment', () => {
  it('has a hand of its own, and the others share the main one', async () => {
    const stage = await team(asks('ann'), asks('bob'), asks('ann'));
    const [ann, bob, again] = [child(stage), child(stage, 1), child(stage, 2)];
    expect(await handOfNextCall(stage, ann)).toEqual(ownHand(ann));
    expect(await handOfNextCall(stage, bob)).toBeUndefined();
    expect(await handOfNextCall(stage, again)).toEqual(ownHand(again));
    expect(stage.ownEnvironments()).toEqual([LAB, LAB]);
    expect(told(stage, ann)).toEqual([`${ann} holds ${ann} of its own`]);
    expect(stage.entries(ann).map(recordIn)[0]).toMatchObject({ kind: 'session.created', environment: LAB.id });
    expect([told(stage, PRIMARY), told(stage, bob)]).toEqual([[], []]);
  });

  it('is shown to the model with that, and a team without one reads no word of it', async () => {
    const stage = await team(['list_agents'], asks('ann'));
    const texts = stage.entries().flatMap((entry) => {
      const record = recordIn(entry);
      return record?.kind === 'call.answered' ? [record.text] : [];
    });
    expect(texts[0]).toContain(', in a sandbox of its own. ');
    expect(texts[1]).toContain('- "ann" (has a sandbox of its own)');
    expect(texts[1]).not.toContain('- "bob" (');
    const offered = stage.requests[0]?.request.tools ?? [];
    expect(JSON.stringify(offered)).toContain('"sandbox":');
    expect(JSON.stringify(toolDefinitions(COORDINATOR, []))).not.toContain('"sandbox":');
  });

  it('still has one after a compaction', async () => {
    const stage = await createTeamStage([says('hi')], { guides: LAB_GUIDES });
    const head = await stage.head();
    const request = stage.stamp.eventId();
    await stage.change(PRIMARY, { do: 'claim', request, taken: [] });
    await stage.change(PRIMARY, {
      ...{ do: 'compacted', request, summary: 'So far.', agent: COORDINATOR, outcome: null },
      ...{ guides: LAB_GUIDES, usage: { input_tokens: 0, output_tokens: 0 } as never },
    });
    expect((await stage.head()).position).toBeGreaterThan(head.position);
    await stage.says(PRIMARY, calls(asks('ann')));
    expect(stage.ownEnvironments()).toEqual([LAB]);
  });
});

describe('a loan', () => {
  it('of the sandbox of the agent that gives work ends with the report, in both logs', async () => {
    const stage = await team(lending('ann', 'mine'));
    const ann = child(stage);
    expect((await stage.state()).lent).toMatchObject([{ hand: MAIN, holder: { thread: ann } }]);
    expect(await handOfNextCall(stage, ann)).toEqual(MAIN);
    await stage.says(ann, text('Done.'));
    const loan = [`${ann} holds main of ${PRIMARY}`, `${ann} leaves main: reported`];
    expect(told(stage, PRIMARY)).toEqual(loan);
    expect(told(stage, ann)).toEqual([`${ann} holds ${ann} of its own`, ...loan]);
    expect(await stage.state()).not.toHaveProperty('lent');
    await stage.says(PRIMARY, calls(follows(ann)));
    expect(await handOfNextCall(stage, ann)).toEqual(ownHand(ann));
  });

  it('may be of the sandbox of another thread, to one that begins and to one that goes on', async () => {
    const stage = await begun(asks('ann'), asks('bob'));
    const [ann, bob] = [child(stage), child(stage, 1)];
    await stage.says(PRIMARY, calls(lendingAgain(bob, ann), lending('bob', ann)));
    const other = child(stage, 2);
    expect(await handOfNextCall(stage, bob)).toEqual(ownHand(ann));
    expect(await handOfNextCall(stage, other)).toEqual(ownHand(ann));
    // The lender works there, too.
    expect(await handOfNextCall(stage, ann)).toEqual(ownHand(ann));
    await stage.says(bob, text('Done.'));
    expect((await stage.state()).lent).toMatchObject([{ hand: ownHand(ann), holder: { thread: other } }]);
    expect(heldHand(await stage.state(bob))).toBeNull();
  });

  it.each([
    ['an interrupt', 'user.interrupt'],
    ['the archive of a thread that waits', 'archive'],
  ])('ends with %s', async (_what, how) => {
    const stage = await team(lending('ann', 'mine'));
    const ann = child(stage);
    if (how === 'archive') {
      await stage.says(ann, calls(['weather']));
      expect((await stage.state()).lent).toHaveLength(1);
      await stage.change(ann, { do: 'archive' });
    } else await stage.send([{ type: 'user.interrupt' }]);
    expect(told(stage, PRIMARY).at(-1)).toBe(`${ann} leaves main: reported`);
    expect(told(stage, ann).at(-1)).toBe(`${ann} leaves main: reported`);
    expect(await stage.state()).not.toHaveProperty('lent');
  });

  it('is none where the thread works anyway', async () => {
    const stage = await begun(lending('bob', 'mine'), asks('ann'));
    const [bob, ann] = [child(stage), child(stage, 1)];
    await stage.says(PRIMARY, calls(lendingAgain(ann, ann), lendingAgain(bob, bob)));
    expect([told(stage, PRIMARY), told(stage, bob)]).toEqual([[], []]);
    expect(heldHand(await stage.state(ann))).toEqual(ownHand(ann));
  });

  it.each(['sthr_none', PRIMARY, 'yours', ''])('of the sandbox of %j is an answer to the model', async (sandbox) => {
    const stage = await team(lending('ann', sandbox));
    expect(stage.children()).toEqual([]);
    const answers = stage.entries().flatMap((entry) => {
      const record = recordIn(entry);
      return record?.kind === 'call.answered' ? [record] : [];
    });
    expect(answers).toMatchObject([{ isError: true, text: expect.stringContaining('sandbox') }]);
  });
});
