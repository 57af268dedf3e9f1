/** Port of the policies that a workspace has had. Reads are strongly consistent; versions never change. */
import type { PolicyPointer, WorkspacePolicy } from '#contract/policy.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import type { Saved } from '#core/ports/records.ts';

export interface PolicyRecords {
  /** The version in force; null when none was saved. */
  pointer(workspace: WorkspaceId): Promise<PolicyPointer | null>;
  version(workspace: WorkspaceId, version: number): Promise<WorkspacePolicy | null>;
  /** Adds the version that follows the latest and puts it into force, both or neither. */
  saveNext(workspace: WorkspaceId, policy: WorkspacePolicy): Promise<Saved>;
  /** The versions below `below`, newest first; null begins with the latest. */
  versions(
    workspace: WorkspaceId,
    page: { readonly below: number | null; readonly limit: number },
  ): Promise<{ readonly policies: readonly WorkspacePolicy[]; readonly more: boolean }>;
}
