import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import { type AgentToolContext, resolvePath } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import type { ToolCall } from './bash.ts';

/** A tool of the SDK. It throws the text of a failure. */
export type RunSdkTool = (input: ToolCall['input'], signal: AbortSignal) => Promise<string>;

/** The SDK's own limit for files that `edit` changes. It refuses larger ones itself. */
const MAX_FILE_BYTES = 256 * 1024;
const REPLACEMENT = '\ufffd';

/**
 * The SDK's `edit` decodes the file as UTF-8 and writes it back, which replaces each byte that is not UTF-8. A file with
 * such bytes, or with NUL bytes (UTF-16, programs), is refused and stays as it is. Valid UTF-8 keeps its other bytes: a
 * byte order mark and carriage returns too.
 */
export function editText(context: AgentToolContext, edit: RunSdkTool): RunSdkTool {
  return async (input, signal) => {
    refuseHalves('edit', input, ['old_string', 'new_string']);
    const bytes = await bytesOf(context, input['file_path']);
    const fault = bytes === null ? null : faultOf(bytes);
    if (fault !== null) {
      throw new Error(
        `edit: ${input['file_path']} ${fault}, so it was not changed. Change it with a program, in bash.`,
      );
    }
    return edit(input, signal).catch((error: unknown) => {
      if (bytes === null || !bytes.includes('\r\n') || !String(error).includes('not found')) throw error;
      throw new Error(`${error instanceof Error ? error.message : 'edit: failed'} (its lines end with \\r\\n)`);
    });
  };
}

/** The SDK's `write`, which would write U+FFFD in place of half a surrogate pair. */
export function writeText(write: RunSdkTool): RunSdkTool {
  return async (input, signal) => {
    refuseHalves('write', input, ['content']);
    return write(input, signal);
  };
}

/** The SDK's `read`, with a note when it shows bytes that are no text. */
export function readText(context: AgentToolContext, read: RunSdkTool): RunSdkTool {
  return async (input, signal) => {
    const text = await read(input, signal);
    if (!text.includes(REPLACEMENT)) return text;
    const bytes = await bytesOf(context, input['file_path']);
    if (bytes !== null && isUtf8(bytes)) return text;
    return `${text}\n[The file is not UTF-8: ${REPLACEMENT} stands for bytes that are not text.]`;
  };
}

function refuseHalves(tool: string, input: Readonly<Record<string, unknown>>, fields: readonly string[]): void {
  const broken = fields.find((field) => {
    const value = input[field];
    return typeof value === 'string' && !value.isWellFormed();
  });
  if (broken !== undefined) {
    throw new Error(
      `${tool}: ${broken} holds half of a surrogate pair, which no text file can hold. Nothing was written.`,
    );
  }
}

/** Null for what the SDK's tools refuse by themselves: a path outside, no file, a file that is too large. */
async function bytesOf(context: AgentToolContext, path: unknown): Promise<Buffer | null> {
  if (typeof path !== 'string') return null;
  try {
    const file = await resolvePath(context, path);
    const { size } = await stat(file).then((found) => (found.isFile() ? found : { size: Infinity }));
    return size > MAX_FILE_BYTES ? null : await readFile(file);
  } catch {
    return null;
  }
}

function faultOf(bytes: Buffer): string | null {
  if (!isUtf8(bytes)) {
    const again = Buffer.from(bytes.toString('utf8'));
    const at = bytes.findIndex((byte, index) => byte !== again[index]);
    return `is not UTF-8 (byte ${at + 1})`;
  }
  const nul = bytes.indexOf(0);
  return nul < 0 ? null : `holds a NUL byte (byte ${nul + 1}) and is no text`;
}
