import { dirname } from 'node:path';
import { betaAgentToolset20260401 } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import * as z from 'zod';
import { WORKDIR, type SandboxTool } from '../functions/contract/hands.ts';
import { rejectOnAbort } from './abort.ts';
import { capturingBash, type RunTool, type ToolCall, type ToolResult } from './bash.ts';
import { outputsUnder } from './output.ts';
import { packagePaths } from './package-paths.ts';

type SdkTool = ReturnType<typeof betaAgentToolset20260401>[number];
type SdkResult = Awaited<ReturnType<SdkTool['run']>>;
type RunSdk = (input: ToolCall['input'], signal: AbortSignal) => Promise<string>;

export interface Tools {
  /** Never throws: whatever goes wrong in a tool is a result which the model sees. */
  run(name: SandboxTool, call: ToolCall, signal: AbortSignal): Promise<ToolResult>;
  /** Ends the shell and what it started. */
  close(): Promise<void>;
}

/** The six tools of the SDK, bound to a working directory and to the folder of the packages, if there are any. */
export function toolsIn(workdir: string, packagesDir: string | null): Tools {
  const outputs = outputsUnder(workdir);
  const sdkTools = betaAgentToolset20260401({ workdir, env: cleanEnvironment(workdir, packagesDir) });
  const runners: Record<SandboxTool, RunTool> = {
    bash: capturingBash(runnerOf(sdkTools, 'bash'), outputs),
    read: untilAborted(runnerOf(sdkTools, 'read')),
    write: untilAborted(runnerOf(sdkTools, 'write')),
    edit: untilAborted(runnerOf(sdkTools, 'edit')),
    glob: untilAborted(runnerOf(sdkTools, 'glob')),
    grep: untilAborted(runnerOf(sdkTools, 'grep')),
  };

  async function run(name: SandboxTool, call: ToolCall, signal: AbortSignal): Promise<ToolResult> {
    const result = await runners[name]({ ...call, input: located(call.input, workdir) }, signal).catch(
      (error: unknown) => failed(name, error),
    );
    const text = await outputs.bound(call.call, result.text.toWellFormed());
    return { text: text === '' ? '(no output)' : text, isError: result.isError };
  }

  return { run, close: async () => void (await Promise.all(sdkTools.map((tool) => tool.close?.()))) };
}

/** Input fields that name files. */
const PATH_FIELDS = ['file_path', 'path', 'command'];

/** A sandbox without a file system of its own cannot have its working directory where the session says it is. */
function located(input: ToolCall['input'], workdir: string): ToolCall['input'] {
  if (workdir === WORKDIR) return input;
  const named = Object.entries(input).filter(([field]) => PATH_FIELDS.includes(field));
  const here = named.map(([field, value]) => [field, typeof value === 'string' ? withWorkdir(value, workdir) : value]);
  return { ...input, ...Object.fromEntries(here) };
}

function withWorkdir(text: string, workdir: string): string {
  return text.replaceAll(/(?<![\w./-])\/workspace(?![\w.-])/g, () => workdir);
}

function runnerOf(sdkTools: readonly SdkTool[], name: SandboxTool): RunSdk {
  const tool = sdkTools.find((candidate) => 'name' in candidate && candidate.name === name);
  if (tool === undefined) throw new Error(`the SDK's toolset has no tool ${name}`);
  return async (input, signal) => {
    // The SDK's tools read nothing of the context but the signal; a whole one also carries a provider's content block.
    const context = { signal } as Parameters<SdkTool['run']>[1];
    return textOf(await tool.run(input, context));
  };
}

/** Most file tools know no signal: an aborted one is answered for at once, and whatever it still does is ignored. */
function untilAborted(run: RunSdk): RunTool {
  return async ({ input }, signal) => {
    return { text: await Promise.race([run(input, signal), rejectOnAbort(signal)]), isError: false };
  };
}

function textOf(result: SdkResult): string {
  if (typeof result === 'string') return result;
  return result.map((block) => (block.type === 'text' ? block.text : JSON.stringify(block))).join('\n');
}

function failed(name: SandboxTool, error: unknown): ToolResult {
  if (error instanceof z.ZodError) {
    const problems = error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return { text: `${name}: ${problems.join('; ')}`, isError: true };
  }
  return { text: error instanceof Error ? error.message : `${name}: failed`, isError: true };
}

/**
 * What commands see. It is written out, never derived from the server's environment: a setting of the server that is
 * added one day must not reach the agent by itself. `HOME` is the one exception, it belongs to the user they share.
 */
function cleanEnvironment(workdir: string, packagesDir: string | null): Record<string, string> {
  const home = process.env['HOME'] ?? workdir;
  const system = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  // The server's own Node goes first: outside the image, the system's may be another one, or none.
  const packages = packagesDir === null ? null : packagePaths(packagesDir);
  const path = new Set([`${home}/.local/bin`, ...(packages?.path ?? []), dirname(process.execPath), ...system]);
  return {
    ...packages?.variables,
    PATH: [...path].join(':'),
    HOME: home,
    PWD: workdir,
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    TERM: 'dumb',
  };
}
