/** Tells whether this machine's processors are fully used: then another worker would make every worker slower. */
import { availableParallelism } from 'node:os';

const WINDOW_MS = 50;
const SATURATED = 0.85;

/** Measures how much of the processors this process used in the latest window; the functions' workers are its threads. */
export function createSaturation(): () => boolean {
  let usage = process.cpuUsage();
  let sinceMs = performance.now();
  let saturated = false;
  return () => {
    const elapsedMs = performance.now() - sinceMs;
    if (elapsedMs < WINDOW_MS) return saturated;
    const { user, system } = process.cpuUsage(usage);
    saturated = (user + system) / 1000 / elapsedMs / availableParallelism() > SATURATED;
    usage = process.cpuUsage();
    sinceMs = performance.now();
    return saturated;
  };
}
