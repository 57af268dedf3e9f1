/** Results of MCP tools that are too long for the model. Their whole text is a file in the sandbox. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelRequest, ReplyTool } from '#infra/local/model/script.ts';
import type { Script } from '#test/model/stand-in.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, textOf, type Event } from '#test/journeys/service.ts';
import { mcp, startMcpService, type McpService } from '#test/mcp/mcp-service.ts';

const TOKEN = 'token-of-alice-0123456789';
const BIG = mcp('big');
const LINES = Array.from({ length: 30_000 }, (_, line) => `line ${line} ü`);
LINES[15_000] = 'here is the needle';
const TEXT = LINES.join('\n');

/** The path of the file that the model was told. */
function fileTold(request: ModelRequest): string {
  const told = /\/workspace\/\S+?\.txt/.exec(JSON.stringify(request.messages))?.[0];
  return told ?? expect.fail('no file was told');
}

/** A model that makes the calls one after the other, each from the last result, and then quotes the last result. */
function steps(...calls: readonly ((file: () => string) => ReplyTool)[]): Script {
  let made = 0;
  return (request) => {
    const call = calls[made];
    made += 1;
    return call === undefined
      ? { text: `Found: ${lastTexts(request).join(' | ')}` }
      : { text: 'I look.', tools: [call(() => fileTold(request))] };
  };
}

const counting = (file: string) => bash(`wc -c < ${file}; grep -n needle ${file}`);
const said = (seen: readonly Event[]) => textOf(ofType(seen, 'agent.message').at(-1));
const results = (seen: readonly Event[]) => ofType(seen, 'agent.tool_result').map(textOf);

describe('a large result of an MCP tool', () => {
  let service: McpService;
  let vault: string;
  beforeAll(async () => {
    service = await startMcpService({ fx: { tokens: { [TOKEN]: [] } } });
    vault = await service.vaultWith('alice', TOKEN);
    const big = service.fx.tools.get('big') ?? expect.fail('no such tool');
    service.fx.tools.set('big', { ...big, run: () => ({ content: [{ type: 'text', text: TEXT }] }) });
  });
  afterAll(async () => service.close());

  const session = () => service.mcpSession({ vaults: [vault] });
  /** The AWS calls of `execute` since this moment. */
  const executeCalls = () =>
    service.runtime.faults.trace().flatMap((call) => (call.function === 'execute' ? [call.call] : []));

  it('starts no sandbox, and is a whole file in the sandbox of the next command', async () => {
    const id = await session();
    service.standIn.script(steps(() => BIG));
    const first = await service.converse(id, 'Say much.');
    expect(said(first)).toContain(`${TEXT.length} characters`);
    expect(said(first)).not.toContain('needle');
    expect(service.sandboxes()).toEqual([]);

    service.standIn.script(steps((file) => counting(file())));
    const found = results(await service.converse(id, 'Where is the needle?'));
    expect(found).toEqual([`${Buffer.byteLength(TEXT)}\n15001:here is the needle`]);
  });

  it('is found by the file tools too, and again in the sandbox that replaces a lost one', async () => {
    const id = await session();
    service.standIn.script(
      steps(
        () => BIG,
        (file) => ({ name: 'grep', input: { pattern: 'needle', path: file() } }),
        (file) => ({ name: 'read', input: { file_path: file(), view_range: [15_001, 15_001] } }),
      ),
    );
    const [grepped, read] = results(await service.converse(id, 'Where is the needle?'));
    expect(grepped).toContain('15001:here is the needle');
    expect(read).toContain('here is the needle');

    expect(await service.runtime.faults.loseSandbox()).toBeGreaterThan(0);
    service.standIn.script(
      steps(
        () => bash('echo hi'),
        (file) => counting(file()),
      ),
    );
    const [lost, again] = results(await service.converse(id, 'And again?'));
    expect(lost).toContain('The next call gets a new sandbox');
    expect(again).toContain('15001:here is the needle');
  });

  it('costs two reads of the log once, and nothing for a call beside it', async () => {
    const id = await session();
    const command = async () => {
      service.runtime.faults.disarm();
      service.standIn.script(steps(() => bash('echo hi')));
      await service.converse(id, 'Go.');
      await service.runtime.aws.stepFunctions.idle();
      return executeCalls();
    };
    await command();
    const before = await command();
    service.standIn.script(steps(() => BIG));
    await service.converse(id, 'Say much.');
    const giving = await command();
    const after = await command();
    expect(after).toEqual(before);
    // The state is read again, because another thread's call may give newer contents; the result is in the bucket, and
    // the log's item names it.
    expect(giving.toSorted()).toEqual([...before, 'dynamodb:Query', 'dynamodb:Query', 's3:GetObject'].toSorted());
  });
});
