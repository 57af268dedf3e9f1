/** A stream request in one process: a log in memory, time that passes only in pauses, and the client's end. */
import { createSkillArchives } from '#aws/skills/skill-archives.zip.ts';
import { GatewayEvent } from '#contract/gateway.ts';
import { ApiKeyId, WorkspaceId } from '#contract/ids.ts';
import type { LogWatch, SessionLog } from '#core/ports/session-log.ts';
import type { FileRecords } from '#core/ports/files.ts';
import type { Previews } from '#core/ports/previews.ts';
import type { RateLimiter } from '#core/requests/admission.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { fold } from '#core/session/evolve.ts';
import { CREATED, KEY, NOW, steadyStamp } from '#test/functions/core/given.ts';
import { createMemoryBlobs } from '#test/ports/blobs.memory.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';
import type { Crowd } from '../../../functions/stream/watch-previews.ts';
import type { Sink } from '../../../functions/stream/sink.ts';

export const MESSAGE: Command = {
  do: 'send',
  events: [{ type: 'user.message', content: [{ type: 'text', text: 'hello' }] }],
};

export function openLog() {
  const log = memoryLog();
  log.create(KEY, fold(null, [CREATED]), [CREATED]);
  const stamp = steadyStamp();
  return {
    log,
    async act(command: Command) {
      const head = await log.head(KEY);
      if (head !== null) await change({ log, stamp }, KEY, head, command);
    },
  };
}

/** Each function of `during` is called once, in its order, one in each pause. */
export function clock(during: readonly (() => unknown)[] = []) {
  let nowMs = Date.parse(NOW);
  let pauses = 0;
  const waits: number[] = [];
  const limits = { untilMs: Number.MAX_SAFE_INTEGER, idleMs: Number.MAX_SAFE_INTEGER };
  return {
    waits,
    limits,
    /** The time of the stream is up. */
    stop: () => void (limits.untilMs = 0),
    nowMs: () => nowMs,
    async pause(ms: number) {
      waits.push(ms);
      nowMs += ms;
      await during[pauses]?.();
      pauses += 1;
    },
  };
}

/** No other stream makes this one end. */
export const ALONE: Crowd = { isFull: async () => false };

export function client() {
  const received: string[] = [];
  let ended = false;
  const sink: Sink = {
    write: async (text) => void received.push(String(text)),
    end: () => {
      ended = true;
    },
  };
  return {
    sink,
    text: () => received.join(''),
    /** Names of the frames, in order. */
    names: () => [...received.join('').matchAll(/^event: (.+)$/gm)].map((match) => match[1]),
    ended: () => ended,
  };
}

const UNLIMITED: RateLimiter = { admit: async () => ({ status: 'admitted', renewal: Promise.resolve() }) };

/** A download finds what a test puts in its place. */
const NO_FILES: Pick<FileRecords, 'find'> = { find: async () => null };

export function world(
  log: Pick<SessionLog, 'head' | 'read'> & Partial<LogWatch>,
  time: ReturnType<typeof clock>,
  previews: Pick<Previews, 'subscribe' | 'read'> = memoryPreviews(),
  limiter: RateLimiter = UNLIMITED,
) {
  const lines: Record<string, unknown>[] = [];
  let tokens = 0;
  return {
    log: { ...memoryLog(), ...log },
    lines,
    previews: { ...memoryPreviews(), ...previews },
    pause: time.pause,
    nowMs: time.nowMs,
    newToken: () => `01${tokens++}`,
    apiKeys: {
      find: async (secret: string) =>
        secret === 'key' || secret === 'other'
          ? {
              id: ApiKeyId.parse('apikey_1'),
              workspace: WorkspaceId.parse(secret === 'key' ? 'wrkspc_1' : 'wrkspc_2'),
              createdAt: NOW,
            }
          : null,
      issue: async () => {
        throw new Error('streams issue no keys');
      },
    },
    limiter,
    idleMs: Number.MAX_SAFE_INTEGER,
    stamp: steadyStamp(),
    blobs: createMemoryBlobs(),
    files: NO_FILES,
    skills: { find: async () => null, version: async () => null },
    skillArchives: createSkillArchives(),
    journal: {
      line: (_message: string, fields: Record<string, unknown>) => void lines.push(fields),
      metric: () => undefined,
    },
  };
}

export const request = (fields: object = {}) =>
  GatewayEvent.parse({
    httpMethod: 'GET',
    path: `/v1/sessions/${KEY.session}/events/stream`,
    headers: { Authorization: 'Bearer key' },
    pathParameters: { session_id: KEY.session },
    ...fields,
  });
