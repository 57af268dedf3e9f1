/** The harness that asks the Claude API, or a gateway that speaks it. */
import { anthropicHarnessWorld } from '#aws/worlds/harness.anthropic.ts';
import { turnHandler } from './turn.ts';

export const handler = turnHandler(anthropicHarnessWorld(process.env));
