/** The deployment's custom resource `Custom::FirstApiKey`. */
import { issueKeyWorld } from '#aws/worlds/issue-key.ts';
import { issueKey } from './issue-key.ts';

const world = issueKeyWorld(process.env);

export const handler = (event: unknown): Promise<void> => issueKey(world, event);
