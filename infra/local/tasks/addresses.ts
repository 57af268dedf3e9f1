import { randomInt } from 'node:crypto';

/**
 * A loopback address of its own for a task, as a task in a VPC has one. Every address in 127.0.0.0/8 is this machine;
 * the range keeps clear of those that distributions use themselves.
 */
export function pickAddress(taken: ReadonlySet<string>): string {
  const address = `127.${randomInt(64, 128)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
  return taken.has(address) ? pickAddress(taken) : address;
}
