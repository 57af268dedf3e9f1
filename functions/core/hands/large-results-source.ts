/** Results of MCP calls that are too long for the model, as files. A session without a sandbox has none made for them. */
import { eventIn, type SessionState } from '#contract/entries.ts';
import { resultFile } from '#contract/hands.ts';
import type { ContentSource, ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import { wholeText } from '#core/model/shorten.ts';
import { Fault } from '#core/ports/errors.ts';
import type { LogKey } from '#core/ports/session-log.ts';

type LargeResult = SessionState['largeResults'][number];

export function largeResultsSource(world: ContentsWorld, { key, state }: Recipient): ContentSource {
  return {
    async entries() {
      return state.largeResults.map(({ call }) => {
        return { path: resultFile(call), version: call, access: 'read_only', form: 'file' };
      });
    },
    async read({ version }) {
      const result = state.largeResults.find(({ call }) => call === version);
      if (result === undefined) return null;
      const text = new TextEncoder().encode(await textOf(world, key, result));
      return { bytes: text.length, body: once(text) };
    },
    // On a full disk the agent must still be able to make room, so a result that was refused holds no call up.
    without: () => ({ do: 'go on', note: null }),
  };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function textOf({ log }: ContentsWorld, key: LogKey, { call, position }: LargeResult): Promise<string> {
  const event = eventIn(await log.entryAt(key, position));
  if (event?.type !== 'agent.mcp_tool_result' || event.mcp_tool_use_id !== call) {
    throw new Fault('stored_data_invalid', `position ${position} of the log is not the result of ${call}`);
  }
  return wholeText(event.content);
}
