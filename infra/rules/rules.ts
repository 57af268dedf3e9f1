import { anyResourceHasAReason } from './any-resource-has-a-reason.ts';
import { apiLogsNoContent } from './api-logs-no-content.ts';
import { auditIsAppendOnly } from './audit-is-append-only.ts';
import { endpointAdmitsOnlyNamedCalls } from './endpoint-admits-only-named-calls.ts';
import { functionRunsNode24OnArm } from './function-runs-node-24-on-arm.ts';
import { logGroupExpires } from './log-group-expires.ts';
import { logIsAppendOnly } from './log-is-append-only.ts';
import { nothingLeavesTheVpc } from './nothing-leaves-the-vpc.ts';
import { onlyExecutionRoleIsPassed } from './only-execution-role-is-passed.ts';
import { onlyHarnessAsksTheModel } from './only-harness-asks-the-model.ts';
import { onlyHarnessReadsModelKey } from './only-harness-reads-model-key.ts';
import { onlyTheProxyAsksEgress } from './only-the-proxy-asks-egress.ts';
import { onlyTheProxyReadsSecrets } from './only-the-proxy-reads-secrets.ts';
import { onlySignAuditSigns } from './only-sign-audit-signs.ts';
import { packageBuildAcceptsNoCalls } from './package-build-accepts-no-calls.ts';
import { proxyIsCalledBySandboxesOnly } from './proxy-is-called-by-sandboxes-only.ts';
import type { Rule } from './rule.ts';
import { runLogsNoExecutionData } from './run-logs-no-execution-data.ts';
import { runRetriesAreOurs } from './run-retries-are-ours.ts';
import { sandboxHasNoTaskRole } from './sandbox-has-no-task-role.ts';
import { sandboxHoldsNoSecret } from './sandbox-holds-no-secret.ts';
import { sandboxIsCalledByExecuteOnly } from './sandbox-is-called-by-execute-only.ts';
import { sandboxIsConfined } from './sandbox-is-confined.ts';
import { streamRoutesStream } from './stream-routes-stream.ts';

export const RULES: readonly Rule[] = [
  sandboxHasNoTaskRole,
  sandboxHoldsNoSecret,
  sandboxIsConfined,
  sandboxIsCalledByExecuteOnly,
  nothingLeavesTheVpc,
  proxyIsCalledBySandboxesOnly,
  onlyTheProxyAsksEgress,
  packageBuildAcceptsNoCalls,
  endpointAdmitsOnlyNamedCalls,
  onlyExecutionRoleIsPassed,
  onlyHarnessReadsModelKey,
  onlyHarnessAsksTheModel,
  onlyTheProxyReadsSecrets,
  logIsAppendOnly,
  auditIsAppendOnly,
  onlySignAuditSigns,
  anyResourceHasAReason,
  runLogsNoExecutionData,
  runRetriesAreOurs,
  apiLogsNoContent,
  streamRoutesStream,
  logGroupExpires,
  functionRunsNode24OnArm,
];
