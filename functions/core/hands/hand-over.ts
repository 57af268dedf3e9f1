/** Gives a sandbox the packages it waits for: at most once, and only when the sandbox asks for them. */
import type { SessionId } from '#contract/ids.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { ReservedSandbox } from '#core/ports/sandboxes.ts';

type ReadySandbox = Extract<ReservedSandbox, { status: 'ready' }>;

/** Null when the call may be repeated; else the sandbox is given up, and this is the text for the model. */
export async function handOver(
  { sandboxes, delivery }: Pick<Ports, 'sandboxes' | 'delivery'>,
  session: SessionId,
  sandbox: ReadySandbox,
): Promise<string | null> {
  const { status } = sandbox.archive === null ? NONE : await delivery.deliver(sandbox, sandbox.archive);
  switch (status) {
    case 'delivered':
    // Whether it still listens is for the repeated call to find out.
    case 'interrupted':
      return null;
    case 'missing':
    case 'refused':
      // Without packages this sandbox takes no call, ever: the next provisioning looks for the archive anew.
      await sandboxes.lost(session, sandbox.generation);
      return `${WHY[status]} This call had no effect. The next call gets a new sandbox.`;
    default:
      return status satisfies never;
  }
}

const NONE = { status: 'missing' } as const;
const WHY = {
  missing: 'The installed packages of this environment are gone; they will be installed again.',
  refused: 'The sandbox could not take the packages of this environment.',
};
