import { dirname } from 'node:path';
import { betaAgentToolset20260401 } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import * as z from 'zod';
import type { SandboxTool } from '../functions/contract/hands.ts';
import { rejectOnAbort } from './abort.ts';
import { problemsOf } from './body.ts';
import { bashIn, type BashLimits, type RunTool, type ToolCall, type ToolResult } from './bash.ts';
import { outputsUnder } from './output.ts';
import { packagePaths } from './package-paths.ts';
import { located, type Places } from './places.ts';
import { editText, readText, type RunSdkTool, writeText } from './text-files.ts';

type SdkTool = ReturnType<typeof betaAgentToolset20260401>[number];
type SdkResult = Awaited<ReturnType<SdkTool['run']>>;

export interface Tools {
  /** Never throws: a failure of a tool is a result that the model sees. */
  run(name: SandboxTool, call: ToolCall, signal: AbortSignal): Promise<ToolResult>;
  /** The environment of a program that begins now. */
  environment(): Readonly<Record<string, string>>;
  /** Ends the shells and the processes that they started. */
  close(): void;
}

interface WithWayOut {
  /** With what programs that begin find their way out. */
  readonly wayOut?: () => Readonly<Record<string, string>>;
}

/** The tools of the SDK and a `bash` of our own, bound to the session's folders. */
export function toolsIn(places: Places, { wayOut = () => ({}), ...limits }: BashLimits & WithWayOut = {}): Tools {
  const { workdir, mnt, packagesDir } = places;
  const outputs = outputsUnder(workdir);
  const environment = () => ({ ...wayOut(), ...cleanEnvironment(workdir, packagesDir) });
  const bash = bashIn(workdir, environment, { outputs, ...limits });
  const context = { workdir, allowedRoots: [mnt] };
  const sdkTools = betaAgentToolset20260401(context);
  const runners: Record<SandboxTool, RunTool> = {
    bash: bash.run,
    read: untilAborted(readText(context, runnerOf(sdkTools, 'read'))),
    write: untilAborted(writeText(runnerOf(sdkTools, 'write'))),
    edit: untilAborted(editText(context, runnerOf(sdkTools, 'edit'))),
    glob: untilAborted(runnerOf(sdkTools, 'glob')),
    grep: untilAborted(runnerOf(sdkTools, 'grep')),
  };

  async function run(name: SandboxTool, call: ToolCall, signal: AbortSignal): Promise<ToolResult> {
    const result = await runners[name]({ ...call, input: locatedInput(call.input, places) }, signal).catch(
      (error: unknown) => failed(name, error),
    );
    const text = outputs.bound(call.call, result.text.toWellFormed());
    return { text: text === '' ? '(no output)' : text, isError: result.isError };
  }

  return { run, environment, close: bash.close };
}

/** Input fields that name files. */
const PATH_FIELDS = ['file_path', 'path', 'command'];

function locatedInput(input: ToolCall['input'], places: Places): ToolCall['input'] {
  const named = Object.entries(input).filter(([field]) => PATH_FIELDS.includes(field));
  const here = named.map(([field, value]) => [field, typeof value === 'string' ? located(value, places) : value]);
  return { ...input, ...Object.fromEntries(here) };
}

function runnerOf(sdkTools: readonly SdkTool[], name: SandboxTool): RunSdkTool {
  const tool = sdkTools.find((candidate) => 'name' in candidate && candidate.name === name);
  if (tool === undefined) throw new Error(`the SDK's toolset has no tool ${name}`);
  return async (input, signal) => {
    // The SDK's tools read only the signal of the context, which otherwise holds a provider's content block.
    const context = { signal } as Parameters<SdkTool['run']>[1];
    return textOf(await tool.run(input, context));
  };
}

/** Most file tools ignore the signal. An aborted call is answered at once, and a later result is dropped. */
function untilAborted(run: RunSdkTool): RunTool {
  return async ({ input }, signal) => {
    return { text: await Promise.race([run(input, signal), rejectOnAbort(signal)]), isError: false };
  };
}

function textOf(result: SdkResult): string {
  if (typeof result === 'string') return result;
  return result.map((block) => (block.type === 'text' ? block.text : JSON.stringify(block))).join('\n');
}

function failed(name: SandboxTool, error: unknown): ToolResult {
  if (error instanceof z.ZodError) return { text: `${name}: ${problemsOf(error)}`, isError: true };
  return { text: error instanceof Error ? error.message : `${name}: failed`, isError: true };
}

/**
 * The environment of commands. It is listed here and not derived from the server's environment, so that no setting of
 * the server reaches the agent. Only `HOME` is taken over: it is the agent's, and the server needs none.
 */
function cleanEnvironment(workdir: string, packagesDir: string | null): Record<string, string> {
  const home = process.env['HOME'] ?? workdir;
  const system = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  // The server's own Node comes before the system's, which outside the image may differ or be absent.
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
