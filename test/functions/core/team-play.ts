/** Works off what the actors of a session have left, as the services around them do. */
import type { EventInput } from '#contract/events.ts';
import type { EventId } from '#contract/ids.ts';
import type { Fault } from '#core/ports/errors.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import { awaitedCalls, isActive, sessionStatus } from '#core/session/waiting.ts';
import type { Execution, TeamStage } from '#test/functions/core/team-stage.ts';

/** What the agent of an execution's thread says to its next request. */
type Script = (execution: Execution) => ModelAnswer | Fault;

/** The answer of the client to a call that waits for it, or for a person. */
export function replyTo(stage: TeamStage, call: EventId): EventInput {
  const use = stage.events().find(({ id }) => id === call);
  return use?.type === 'agent.custom_tool_use'
    ? { type: 'user.custom_tool_result', custom_tool_use_id: call }
    : { type: 'user.tool_confirmation', tool_use_id: call, result: 'allow' };
}

/** The next step of an execution. */
export async function work(stage: TeamStage, execution: Execution, script: Script): Promise<void> {
  const [hand] = execution.hands;
  if (execution.at === 'turn') await stage.turn(execution);
  else if (execution.at === 'asking') await stage.hear(execution, script(execution));
  else if (execution.at === 'harvest') await stage.harvest(execution);
  else if (hand !== undefined) await stage.useHand(execution, hand);
}

/** Until the session rests: executions work, the client answers, and the sweep starts what nothing works on. */
export async function finish(
  stage: TeamStage,
  script: Script,
  { after }: { readonly after: (what: 'work' | 'sweep' | 'reply') => Promise<void> },
): Promise<void> {
  for (let step = 0; step < 500; step += 1) {
    const state = await stage.state();
    const [execution] = stage.live();
    const [call] = awaitedCalls(state);
    if (execution !== undefined) {
      await work(stage, execution, script);
      await after('work');
    } else if ((await Promise.all(stage.threads.map((thread) => stage.state(thread)))).some(isActive)) {
      await stage.sweep();
      await after('sweep');
    } else if (call !== undefined && sessionStatus(state) === 'idle') {
      await stage.send([replyTo(stage, call)]);
      await after('reply');
    } else return;
  }
  throw new Error('the session does not come to rest');
}
