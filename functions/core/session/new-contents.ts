/** What the sandboxes of a new session find beside packages. Each kind of content is resolved by its own room. */
import type { Mounted, ResourceInputs, SessionContents } from '#contract/resources.ts';
import { mountPath } from '#core/files/mount-path.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';

interface AskedResource {
  /** Names the resource in a refusal. */
  readonly field: string;
  readonly input: ResourceInputs[number];
}

interface NewContents {
  /** The resources keep the order of the request. Null for nothing. */
  readonly contents: SessionContents | null;
  /** What the model is told of memory stores and skills. */
  readonly guide?: string;
}

export async function newContents(resources: ResourceInputs): Promise<NewContents | RequestRefusal> {
  const asked = resources.map((input, index): AskedResource => ({ field: `resources.${index}`, input }));
  const mounted = await Promise.all(asked.map(mount));
  const refused = mounted.find(isRefusal);
  if (refused !== undefined) return refused;
  const found = mounted.filter((one): one is Mounted => !isRefusal(one));
  return { contents: found.length === 0 ? null : { resources: found } };
}

async function mount({ field, input }: AskedResource): Promise<Mounted | RequestRefusal> {
  switch (input.type) {
    case 'file': {
      const path = mountPath(input.mount_path ?? input.file_id);
      if (path.status === 'refused') return refuse('invalid_request_error', `${field}.mount_path: ${path.rule}`);
      return refuse('invalid_request_error', `${field}: files are not supported yet`);
    }
    case 'memory_store':
      return refuse('invalid_request_error', `${field}: memory stores are not supported yet`);
    default:
      return input satisfies never;
  }
}
