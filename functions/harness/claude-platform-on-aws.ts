/** The harness that asks Claude Platform on AWS. */
import { claudePlatformHarnessWorld } from '#aws/worlds/harness.claude-platform-on-aws.ts';
import { turnHandler } from './turn.ts';

export const handler = turnHandler(claudePlatformHarnessWorld(process.env));
