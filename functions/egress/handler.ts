/** Egress: tells the egress proxy what a task may reach, and takes its reports. */
import { EgressRequest, type Grant } from '#contract/egress.ts';

export async function handler(input: unknown): Promise<Grant | null> {
  const { ask } = EgressRequest.parse(input);
  return ask === 'grant' ? { status: 'unknown' } : null;
}
