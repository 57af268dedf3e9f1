/**
 * Makes the deployment's first API key known: its secret exists already, this writes the row that its hash is looked up
 * by. Removing the resource removes nothing: the key goes with the table, or stays valid with it.
 */
import {
  CustomResourceRequest,
  type CustomResourceOutcome,
  type TellCloudFormation,
} from '#contract/custom-resource.ts';
import { ApiKeyId, WorkspaceId, type Instant } from '#contract/ids.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { ApiKeys } from '#core/ports/records.ts';

/** The workspace of a deployment that is not divided into several. */
const DEFAULT_WORKSPACE = WorkspaceId.parse('wrkspc_default');

/** Never changes: another physical id would make CloudFormation replace the resource. */
const PHYSICAL_ID = 'first-api-key';

interface IssueKeyWorld {
  readonly apiKeys: ApiKeys;
  readonly newToken: () => string;
  readonly now: () => Instant;
  /** The key itself. */
  readonly secret: () => Promise<string>;
  readonly tell: TellCloudFormation;
}

export async function issueKey(world: IssueKeyWorld, event: unknown): Promise<void> {
  const request = CustomResourceRequest.parse(event);
  await world.tell(request, PHYSICAL_ID, await outcome(world, request));
}

async function outcome(world: IssueKeyWorld, request: CustomResourceRequest): Promise<CustomResourceOutcome> {
  if (request.RequestType === 'Delete') return { Status: 'SUCCESS' };
  try {
    const id = ApiKeyId.parse(`apikey_${world.newToken()}`);
    const createdAt = world.now();
    await world.apiKeys.issue(await world.secret(), { id, workspace: DEFAULT_WORKSPACE, createdAt });
    return { Status: 'SUCCESS' };
  } catch (error) {
    return { Status: 'FAILED', Reason: `the first API key was not stored: ${errorClass(error)}` };
  }
}
