import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { Options } from '../options/options.ts';
import type { AuditTrail } from './audit-trail.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import { grantHooks } from './hooks.ts';
import { perMinute } from './per-minute.ts';
import type { Stores } from './stores.ts';
import type { Vaults } from './vaults.ts';

export interface McpProxyProps extends Stores {
  readonly defaults: FunctionDefaults;
  readonly vaults: Vaults;
  readonly auditTrail: AuditTrail;
  readonly options: Options['mcp'];
}

/**
 * The function that calls MCP servers for users, and the only one that reads their secrets. It gets ids only, and looks
 * up the user and the credential itself (docs/design.md#mcp-calls). It is outside the VPC and has no way into it.
 */
export class McpProxyFunction extends Construct {
  readonly call: EntryFunction;

  constructor(scope: Construct, id: string, props: McpProxyProps) {
    super(scope, id);
    const { defaults, log, records, content, vaults, auditTrail } = props;
    const { allow, callsPerMinute, hooks } = props.options;
    this.call = new EntryFunction(this, 'Call', {
      entry: 'mcp-proxy',
      defaults,
      // MCP clients usually wait for 60 seconds; this is longer, and short enough for a turn to go on.
      timeout: Duration.seconds(120),
      // This function evaluates policies, and the first evaluation takes a whole processor.
      memoryMb: 1024,
    });
    log.grantAppend(this.call);
    records.grantRead(this.call);
    content.grantReadWrite(this.call);
    vaults.grantUse(this.call);
    auditTrail.grantAppend(this.call);
    this.call.receive({
      MCP_ALLOW: JSON.stringify(allow),
      MCP_CALLS_PER_MINUTE: perMinute(callsPerMinute),
    });
    grantHooks(this.call, hooks);
    if (callsPerMinute !== undefined) records.grantSpend(this.call);
  }

  /** For listing the tools of servers, judging calls, and trying credentials. The answers hold no secret. */
  grantInvoke(caller: EntryFunction): void {
    const { functionName, functionArn } = this.call.lambda;
    caller.receive(
      { MCP_PROXY_FUNCTION_NAME: functionName },
      { actions: ['lambda:InvokeFunction'], on: [functionArn] },
    );
  }
}
