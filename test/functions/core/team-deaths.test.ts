/** One session with children, killed before and after each append and each start of a run. */
import { describe, expect, it } from 'vitest';
import { recordIn } from '#contract/entries.ts';
import { KEY, says } from '#test/functions/core/given.ts';
import type { Fate } from '#test/functions/core/actors.ts';
import { expectAgreement } from '#test/functions/core/team-agreement.ts';
import { finish } from '#test/functions/core/team-play.ts';
import {
  asks,
  calls,
  createTeamStage,
  follows,
  text,
  type Execution,
  type TeamStage,
} from '#test/functions/core/team-stage.ts';

const answersOf = (stage: TeamStage, { thread }: Execution) =>
  stage.entries(thread).filter((entry) => recordIn(entry)?.kind === 'model.answered').length;

/** Two agents get work, one of them again, and the advisor is asked: each with what the others wait for. */
function script(stage: TeamStage, execution: Execution) {
  const answers = answersOf(stage, execution);
  const [ann] = stage.children();
  if (execution.thread === KEY.thread) {
    if (answers === 0) return calls(asks('ann', 'First.'), asks('bob', 'Second.'), ['wait_for_report']);
    if (answers === 1 && ann !== undefined) return calls(follows(ann, 'Again.'), ['bash'], ['read']);
    return answers === 2 ? calls(['ask_advisor', { question: 'Done?' }]) : text('All is done.');
  }
  if (execution.thread === ann) return answers === 0 ? calls(['bash']) : text(`Ann ${answers}.`);
  if (execution.thread === stage.children()[1]) return answers === 0 ? calls(['weather'], ['read']) : text('Bob.');
  return text('Yes.');
}

async function played(dies?: { readonly at: number; readonly fate: Fate }, agrees = false): Promise<TeamStage> {
  const stage = await createTeamStage([says('hi')], dies === undefined ? {} : { dies });
  const after = async () => (agrees ? expectAgreement(stage) : undefined);
  await finish(stage, (execution) => script(stage, execution), { after });
  return stage;
}

function reports(stage: TeamStage): readonly string[] {
  return stage
    .events()
    .flatMap((event) =>
      event.type === 'agent.thread_message_received' ? event.content.map((block) => block.text) : [],
    );
}

const whole = await played();
const deaths = whole.names.flatMap((name, at) =>
  (['dies before', 'dies after'] as const).map((fate) => [fate, name, at] as const),
);

describe('work of several threads', () => {
  it('is done without deaths', () => {
    expect(deaths.length).toBeGreaterThan(60);
    expect(reports(whole).toSorted()).toEqual(['Ann 1.', 'Ann 2.', 'Bob.', 'Yes.']);
  });

  it.each(deaths)('is done when a process %s its %s, call %i', async (fate, _name, at) => {
    const stage = await played({ at, fate }, true);
    expect(stage.names[at]).toContain(fate);
    expect(stage.children()).toHaveLength(whole.children().length);
    expect(reports(stage).toSorted()).toEqual(reports(whole).toSorted());
    const state = await stage.state();
    expect(state).toMatchObject({ status: 'idle', queued: [], team: { busy: [] } });
    for (const thread of stage.children()) expect((await stage.state(thread)).status).toMatch(/idle|terminated/);
  });
});
