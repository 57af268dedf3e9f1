import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';

/** Each batch costs the start of a program, and the runtime seldom has more calls to the engine under way. */
const BATCH = 8;
/** A child that has handed over nothing for so long is ended, and the engine starts again. */
const LIMIT_MS = 60_000;

const ENDED = 'the DynamoDB engine has ended';

interface Waiting {
  readonly resolve: (socket: Socket) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Gives out the connections that `child` hands over: it makes as many as a line of its input asks for, and waits for a
 * message when it has handed over all of them. The first ones are asked for at once.
 */
export function takeConnections(child: ChildProcess): () => Promise<Socket> {
  const ready: Socket[] = [];
  const waiting: Waiting[] = [];
  const batch = { open: 0, limit: setTimeout(() => undefined, 0) };

  function ask(): void {
    batch.open = BATCH;
    batch.limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.stdin?.write(`${BATCH}\n`);
  }

  function give(socket: Socket): void {
    // An idle connection that breaks is found by its state.
    socket.on('error', () => undefined);
    const first = waiting.shift();
    if (first === undefined) ready.push(socket);
    else first.resolve(socket);
  }

  function take(_message: unknown, socket: unknown): void {
    batch.open -= 1;
    // A connection that broke on its way comes as nothing.
    if (socket instanceof Socket) give(socket);
    if (batch.open > 0) return;
    clearTimeout(batch.limit);
    child.send('taken', () => undefined);
    if (waiting.length > 0) ask();
  }

  child.on('message', take);
  child.stdin?.on('error', () => undefined);
  // A program that cannot be started has no exit.
  child.once('error', () => clearTimeout(batch.limit));
  child.once('exit', () => {
    clearTimeout(batch.limit);
    // A program that was making connections ends with the channel.
    if (child.connected) child.disconnect();
    for (const { reject } of waiting.splice(0)) reject(new Error(ENDED));
    for (const socket of ready.splice(0)) socket.destroy();
  });
  ask();
  return () => {
    const socket = ready.pop();
    if (socket !== undefined && !socket.destroyed) return Promise.resolve(socket);
    if (child.exitCode !== null || child.signalCode !== null) return Promise.reject(new Error(ENDED));
    if (batch.open === 0) ask();
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
}
