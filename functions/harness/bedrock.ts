/** The harness that asks Amazon Bedrock. */
import { bedrockHarnessWorld } from '#aws/worlds/harness.bedrock.ts';
import { turnHandler } from './turn.ts';

export const handler = turnHandler(bedrockHarnessWorld(process.env));
