/** What the sandboxes of a new session find beside packages. Each kind of content is resolved by its own room. */
import type { SessionId, WorkspaceId } from '#contract/ids.ts';
import type { ResourceInputs, SessionContents } from '#contract/resources.ts';
import { planFiles, type AskedFile } from '#core/files/mount-files.ts';
import { memoryGuide, planStores, type AskedStore } from '#core/memory/mount-stores.ts';
import { skillGuide, type SessionSkill } from '#core/skills/session-skills.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import type { FileCopy } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isTooLarge, TOO_LARGE } from '#core/session/change-resources.ts';

interface NewContents {
  /** The resources keep the order of the request. Null for nothing. */
  readonly contents: SessionContents | null;
  /** What the model is told of memory stores and skills. */
  readonly guide?: string;
  /** To be written before the session is, by `writeCopies`. */
  readonly copies: readonly FileCopy[];
}

interface NewSession {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
}

/** Reads only. */
export async function newContents(
  world: Pick<Ports, 'files' | 'memoryStores' | 'stamp' | 'newToken'>,
  to: NewSession,
  inputs: ResourceInputs,
): Promise<NewContents | RequestRefusal> {
  const asked = inputs.map((input, index) => ({ field: `resources.${index}.`, input }));
  const files = await planFiles(world, { ...to, present: [] }, asked.filter(isFile));
  if (isRefusal(files)) return files;
  const stores = await planStores(world, to.workspace, asked.filter(isStore));
  if (isRefusal(stores)) return stores;
  const [nextFile, nextStore] = [files.map(({ mounted }) => mounted).values(), stores.values()];
  const resources = inputs.flatMap(({ type }) => (type === 'file' ? nextFile : nextStore).next().value ?? []);
  if (resources.length === 0) return { contents: null, copies: [] };
  const contents = { resources };
  if (isTooLarge(contents)) return TOO_LARGE;
  const guide = memoryGuide(stores);
  return { contents, copies: files.map(({ copy }) => copy), ...(guide !== null && { guide }) };
}

function isFile(asked: { readonly field: string; readonly input: ResourceInputs[number] }): asked is AskedFile {
  return asked.input.type === 'file';
}

/** Adds the skills of the session's agent. */
export function withSkills<Given extends NewContents>(given: Given, skills: readonly SessionSkill[]): Given {
  if (skills.length === 0) return given;
  const contents = { resources: [], ...given.contents, skills: skills.map(({ mounted }) => mounted) };
  const guide = [given.guide, skillGuide(skills)].filter((part) => part !== undefined).join('\n\n');
  return { ...given, contents, guide };
}

function isStore(asked: { readonly field: string; readonly input: ResourceInputs[number] }): asked is AskedStore {
  return asked.input.type === 'memory_store';
}
