/** The model request of the grader, which judges what the agent delivered (docs/design.md#outcomes). */
import type { EventId, FileId } from '#contract/ids.ts';
import { UNHEARD } from '#core/harness/compact.ts';
import { buildGraderRequest, PROMPT_VERSION, readAnswer, shownFiles } from '#core/harness/grader.ts';
import { queuedMessages, type Slice } from '#core/harness/history.ts';
import { requestModel, type Purpose, type RequestOutcome } from '#core/harness/model-request.ts';
import { readOutputs } from '#core/harness/read-outputs.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { fullTokens, usedTokens } from '#core/model/room.ts';
import type { StoredOutput } from '#core/ports/files.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { Command } from '#core/session/commands.ts';

export async function evaluate(
  world: TurnWorld,
  key: LogKey,
  slice: Slice,
  signal: AbortSignal,
): Promise<RequestOutcome> {
  // What the agent wrote was stored before its last call had a result, so nothing is missing here.
  const [outputs, deleted] = await Promise.all([world.outputs.list(key.session), deletedFiles(world, slice)]);
  const purpose = grading(world, { request: world.stamp.eventId(), outputs, deleted });
  return requestModel(world, key, { slice, purpose, signal });
}

/** A file that its user deletes after this look fails the request, and the next one is built without it. */
async function deletedFiles({ files }: TurnWorld, { entries, head }: Slice): Promise<ReadonlySet<FileId>> {
  const shown = [...shownFiles(entries)];
  const found = await Promise.all(shown.map((file) => files.find(head.state.workspace, file)));
  return new Set(shown.filter((_, index) => found[index] === null));
}

interface Grading {
  readonly request: EventId;
  readonly outputs: readonly StoredOutput[];
  /** Of the files that the grader was shown. */
  readonly deleted: ReadonlySet<FileId>;
}

function grading(world: TurnWorld, { request, outputs, deleted }: Grading): Purpose {
  return {
    request,
    // Messages wait until the evaluation is over.
    taken: [],
    listener: UNHEARD,
    build: ({ entries, head }) => buildGraderRequest(entries, head.state, { outputs, deleted }),
    accept: (slice, answer) => accepting(world, { slice, request, outputs }, answer),
    // Nothing can be left out of what is judged, so an input that the provider refuses is the end.
    fail: (slice, failure) => {
      const isRefused = failure.verdict === 'refused' || failure.verdict === 'too large';
      return { ...failure, verdict: isRefused ? 'exhausted' : failure.verdict, taken: queuedMessages(slice) };
    },
    end: () => Promise.resolve(),
  };
}

interface Asked {
  readonly slice: Slice;
  readonly request: EventId;
  readonly outputs: readonly StoredOutput[];
}

async function accepting(
  world: TurnWorld,
  { slice: { head }, request, outputs }: Asked,
  answer: ModelAnswer,
): Promise<Command> {
  const { workspace, model, outcome } = head.state;
  const reading = readAnswer(answer, outcome?.evaluation?.readings ?? 0);
  const { blocks, usage } = answer;
  const graded = { do: 'graded', request, prompt: PROMPT_VERSION, blocks, usage } as const;
  if (reading.type !== 'reading') return { ...graded, reply: reading, results: [] };
  const roomTokens = fullTokens(model) - usedTokens(usage);
  const results = await readOutputs(world, { workspace, outputs, roomTokens }, reading.calls);
  return { ...graded, reply: { type: 'reading' }, results };
}
