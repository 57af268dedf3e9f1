/**
 * Servers' messages, reduced to what this client reads, before the SDK judges them. The SDK refuses a whole answer for one
 * wrong field. Here a field that nothing reads is dropped, an explicit null where a field is optional means that the field is
 * absent, and a tool or a block with a wrong form takes only itself away.
 */
import type { ContentBlock } from '@modelcontextprotocol/client';
import { ToolHints } from '#contract/mcp.ts';
import { isRecord, isWithinDepth, withoutNulls } from '#core/tools/json-schema.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A longer or deeper schema would fill the requests to the model, or the stack of a program that reads it. */
const MAX_SCHEMA_CHARS = 100_000;
const MAX_SCHEMA_DEPTH = 60;
/** For values that are only written down as JSON. */
const MAX_DATA_DEPTH = 500;
const MAX_LABEL_CHARS = 100;
/** A JSON-RPC error without a usable code. It leaves open whether the server began. */
const INTERNAL_ERROR = -32603;

/** `onBadTool` is called for each tool that is left out. */
export function readMessage(message: unknown, onBadTool: () => void): unknown {
  if (Array.isArray(message)) return message.map((one) => readMessage(one, onBadTool));
  if (!isRecord(message)) return message;
  const { result, error, params, ...rest } = present(message, ENVELOPE);
  return {
    ...rest,
    ...(result === undefined ? {} : { result: isRecord(result) ? readResult(result, onBadTool) : result }),
    ...(error === undefined ? {} : { error: readError(error) }),
    ...(params === undefined ? {} : { params: isRecord(params) ? readParams(params) : params }),
  };
}

const ENVELOPE = ['jsonrpc', 'id', 'method', 'params', 'result', 'error'];
/** Of the answers to `initialize`, `server/discover`, `tools/list` and `tools/call`. */
const PLAIN_FIELDS = ['resultType', 'protocolVersion', 'supportedVersions', 'nextCursor', 'requestState'];

function readResult(result: Fields, onBadTool: () => void): Fields {
  const { nextCursor, ...plain } = present(result, PLAIN_FIELDS);
  const { capabilities, tools, content, structuredContent, isError, inputRequests } = result;
  const isAnswer = [content, structuredContent, isError].some((value) => value !== undefined);
  return {
    ...plain,
    ...readCaching(result),
    // Many servers mark the last page by an empty cursor.
    ...(nextCursor === undefined || nextCursor === '' ? {} : { nextCursor }),
    ...(capabilities === undefined ? {} : { capabilities: readCapabilities(capabilities), serverInfo: UNREAD_SERVER }),
    ...(tools === undefined ? {} : { tools: readTools(tools, onBadTool) }),
    ...(isAnswer ? { content: readContent(content, structuredContent), isError: isError === true } : {}),
    ...(isRecord(inputRequests) ? { inputRequests: readRequests(inputRequests) } : {}),
  };
}

/** The older revision demands these fields. */
const UNREAD_SERVER = { name: '', version: '' };

/** Without a usable lifetime an answer is stale at once, and without a usable scope it is one user's. */
function readCaching({ ttlMs, cacheScope }: Fields): Fields {
  const isLifetime = typeof ttlMs === 'number' && Number.isSafeInteger(ttlMs) && ttlMs >= 0;
  return { ttlMs: isLifetime ? ttlMs : 0, cacheScope: cacheScope === 'public' ? 'public' : 'private' };
}

function readCapabilities(capabilities: unknown): Fields {
  const hasTools = isRecord(capabilities) && capabilities['tools'] != null && capabilities['tools'] !== false;
  return hasTools ? { tools: {} } : {};
}

function readTools(tools: unknown, onBadTool: () => void): unknown {
  if (!Array.isArray(tools)) return tools;
  return tools.flatMap((given: unknown) => {
    const tool = isRecord(given) ? readTool(given) : null;
    if (tool === null) onBadTool();
    return tool ?? [];
  });
}

function readTool({ name, description, inputSchema: given, annotations }: Fields): Fields | null {
  if (typeof name !== 'string' || name === '' || !name.isWellFormed()) return null;
  if (!isWithinDepth(given, MAX_SCHEMA_DEPTH)) return null;
  const inputSchema = withoutNulls(given);
  if (!isRecord(inputSchema) || inputSchema['type'] !== 'object' || !hasItsForm(inputSchema)) return null;
  if (JSON.stringify(inputSchema).length > MAX_SCHEMA_CHARS) return null;
  const hints = Object.keys(ToolHints.shape).map((hint) => [hint, isRecord(annotations) ? annotations[hint] : null]);
  return {
    name,
    inputSchema,
    annotations: Object.fromEntries(hints.filter(([, value]) => typeof value === 'boolean')),
    ...(typeof description === 'string' ? { description } : {}),
  };
}

/** The keywords that the SDK judges. */
function hasItsForm({ properties = {}, required = [], $schema = '' }: Fields): boolean {
  const isList = Array.isArray(required) && required.every((one) => typeof one === 'string');
  return isRecord(properties) && isList && typeof $schema === 'string';
}

/** A server should repeat its structured content as text, and some do not. */
function readContent(content: unknown, structured: unknown): unknown {
  if (content != null && !Array.isArray(content)) return content;
  const blocks = (content ?? []).flatMap((block: unknown) => (block == null ? [] : readBlock(block)));
  if (blocks.length > 0 || structured == null) return blocks;
  return isWithinDepth(structured, MAX_DATA_DEPTH) ? text(JSON.stringify(structured)) : unshown('structured content');
}

function readBlock(block: unknown): ContentBlock[] {
  if (!isRecord(block)) return unshown(typeof block);
  const { type, text: said, uri, name, resource } = block;
  if (type === 'text' && (said == null || typeof said === 'string')) return text(said ?? '');
  if ((type === 'image' || type === 'audio') && typeof block['data'] === 'string') {
    return [{ type, data: base64(block['data']), mimeType: mimeTypeOf(block) ?? '' }];
  }
  if (type === 'resource_link' && typeof uri === 'string') {
    return [{ type, uri, name: typeof name === 'string' ? name : uri }];
  }
  if (type === 'resource' && isRecord(resource)) return readResource(resource);
  return unshown(typeof type === 'string' ? type : typeof type);
}

function readResource(resource: Fields): ContentBlock[] {
  const { uri, text: said, blob } = resource;
  const mimeType = mimeTypeOf(resource);
  const common = { uri: typeof uri === 'string' ? uri : '', ...(mimeType === null ? {} : { mimeType }) };
  if (typeof said === 'string') return [{ type: 'resource', resource: { ...common, text: said } }];
  if (typeof blob === 'string') return [{ type: 'resource', resource: { ...common, blob: base64(blob) } }];
  return unshown('resource');
}

function mimeTypeOf({ mimeType }: Fields): string | null {
  return typeof mimeType === 'string' ? mimeType : null;
}

/** In the one spelling that the SDK takes. Letters that are not base64 are left out, as the model is shown bytes that fit. */
function base64(data: string): string {
  return Buffer.from(data, 'base64').toString('base64');
}

function text(said: string): ContentBlock[] {
  return [{ type: 'text', text: said }];
}

function unshown(type: string): ContentBlock[] {
  return text(`[the server's content of the type "${type.slice(0, MAX_LABEL_CHARS)}" cannot be shown]`);
}

function readRequests(requests: Fields): Fields {
  const read = Object.entries(requests).map(([id, request]) => {
    if (!isRecord(request)) return [id, request] as const;
    const { params, method } = present(request, ['method', 'params']);
    return [id, { method, params: isRecord(params) ? readParams(params) : {} }] as const;
  });
  return Object.fromEntries(read);
}

/** Of requests and notices of the server. */
function readParams({ _meta, ...params }: Fields): Fields {
  return present(params, Object.keys(params));
}

function readError(error: unknown): Fields {
  const { code, message, data } = isRecord(error) ? error : { message: error };
  return {
    code: Number.isSafeInteger(code) ? code : INTERNAL_ERROR,
    message: typeof message === 'string' ? message : '',
    ...(data != null && isWithinDepth(data, MAX_DATA_DEPTH) ? { data } : {}),
  };
}

function present(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(names.flatMap((name) => (fields[name] == null ? [] : [[name, fields[name]]])));
}
