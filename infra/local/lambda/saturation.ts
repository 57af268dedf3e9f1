/** Whether this machine's processors have nothing left to give: then another worker makes every worker slower. */
import { availableParallelism } from 'node:os';

const WINDOW_MS = 50;
const SATURATED = 0.85;

/** Looks at what this process used of the processors in the latest window; the functions' workers are its threads. */
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
