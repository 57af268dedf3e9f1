/** Resources of a session: what its sandboxes find, beside the environment's packages. */
import * as z from 'zod';
import { wellFormed } from './content.ts';
import { BlobKey } from './files.ts';
import { FileId, Instant, MemoryStoreId, ResourceId } from './ids.ts';
import { notYetType } from './not-yet.ts';
import { Checkout } from './repositories.ts';
import { MountedSkill } from './skills.ts';

export const MAX_FILES = 500;
/** Of all files together: a sandbox's disk has room for more. */
export const MAX_FILES_BYTES = 5_000_000_000;
export const MAX_MEMORY_STORES = 8;
/** A repository takes a clone before the first call, and one secret. */
export const MAX_REPOSITORIES = 20;

/** What all sandboxes of a session may hand out. */
export const MAX_OUTPUTS = 10_000;
export const MAX_OUTPUT_BYTES = 10_000_000_000;

/** Its rules are in `core/files/mount-path.ts`. */
const MountPath = wellFormed(1024).nullish();

export const FileResourceInput = z.strictObject({ type: z.literal('file'), file_id: FileId, mount_path: MountPath });
export type FileResourceInput = z.infer<typeof FileResourceInput>;

const Access = z.enum(['read_write', 'read_only']);

const MemoryStoreInput = z.strictObject({
  type: z.literal('memory_store'),
  memory_store_id: MemoryStoreId,
  access: Access.nullish(),
  instructions: wellFormed(4096).nullish(),
});
export type MemoryStoreInput = z.infer<typeof MemoryStoreInput>;

/** It becomes part of a header of HTTP. */
const RepositoryToken = z
  .string()
  .min(1)
  .max(4000)
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII characters without spaces');

/** The rules of `url` and `mount_path` are in `core/egress/git-hosts.ts` and `core/egress/mount-repositories.ts`. */
const RepositoryInput = z.strictObject({
  type: z.literal('github_repository'),
  url: wellFormed(2000),
  authorization_token: RepositoryToken.nullish(),
  checkout: Checkout.nullish(),
  mount_path: MountPath,
});
export type RepositoryInput = z.infer<typeof RepositoryInput>;

export const ResourceInputs = z
  .array(z.discriminatedUnion('type', [FileResourceInput, MemoryStoreInput, RepositoryInput]))
  .max(MAX_FILES + MAX_MEMORY_STORES + MAX_REPOSITORIES)
  .superRefine((inputs, context) => {
    for (const [type, max] of [
      ['file', MAX_FILES],
      ['memory_store', MAX_MEMORY_STORES],
      ['github_repository', MAX_REPOSITORIES],
    ] as const) {
      const beyond = inputs.flatMap((input, index) => (input.type === type ? [index] : []))[max];
      if (beyond === undefined) continue;
      context.addIssue({
        code: 'custom',
        path: [beyond],
        message: `a session has at most ${max} resources of type ${type}`,
      });
    }
  });
export type ResourceInputs = z.infer<typeof ResourceInputs>;

export const ResourceAdd = z
  .discriminatedUnion('type', [
    FileResourceInput,
    notYetType('memory_store', 'memory stores are attached when a session is created'),
    notYetType('github_repository', 'repositories are attached when a session is created'),
  ])
  .meta({ id: 'ResourceAdd' });

export const ResourceUpdate = z.strictObject({ authorization_token: RepositoryToken });

/** `file_id` names the session's own copy of the file that was asked for. `mount_path` is absolute. */
export const FileResource = z
  .object({
    id: ResourceId,
    type: z.literal('file'),
    file_id: FileId,
    mount_path: z.string(),
    created_at: Instant,
    updated_at: Instant,
  })
  .meta({ id: 'FileResource' });
export type FileResource = z.infer<typeof FileResource>;

/** `id` and the instants are this service's: the contract has none, and yet its operations name a resource by an id. */
export const MemoryStoreResource = z
  .object({
    id: ResourceId,
    type: z.literal('memory_store'),
    memory_store_id: MemoryStoreId,
    access: Access,
    instructions: z.string().nullable(),
    name: z.string(),
    description: z.string(),
    mount_path: z.string(),
    created_at: Instant,
    updated_at: Instant,
  })
  .meta({ id: 'MemoryStoreResource' });
export type MemoryStoreResource = z.infer<typeof MemoryStoreResource>;

/** No response holds its token. */
export const RepositoryResource = z
  .object({
    id: ResourceId,
    type: z.literal('github_repository'),
    url: z.string(),
    mount_path: z.string(),
    checkout: Checkout.nullable(),
    created_at: Instant,
    updated_at: Instant,
  })
  .meta({ id: 'RepositoryResource' });
export type RepositoryResource = z.infer<typeof RepositoryResource>;

export const SessionResource = z
  .discriminatedUnion('type', [FileResource, MemoryStoreResource, RepositoryResource])
  .meta({ id: 'SessionResource' });
export type SessionResource = z.infer<typeof SessionResource>;

export const ResourceDeleted = z
  .object({ id: ResourceId, type: z.literal('session_resource_deleted') })
  .meta({ id: 'ResourceDeleted' });

/** A mounted file: its resource, and the bytes that it is a copy of. */
export const MountedFile = FileResource.extend({
  source: z.object({
    /** The file that was asked for. It may be deleted since. */
    file: FileId,
    blob: BlobKey,
    bytes: z.int().min(0),
    /** A second path of it in the sandbox: programs that ask for one in the working directory read it there. */
    also: z.string().nullable(),
  }),
});
export type MountedFile = z.infer<typeof MountedFile>;

/** A repository with its token, which only the function `egress` can open. Null without one. */
export const MountedRepository = RepositoryResource.extend({ sealedToken: z.string().nullable() });
export type MountedRepository = z.infer<typeof MountedRepository>;

const Mounted = z.discriminatedUnion('type', [MountedFile, MemoryStoreResource, MountedRepository]);
export type Mounted = z.infer<typeof Mounted>;

/**
 * What the sandboxes of a session find. It is one item beside the session's details, written in the transaction of the
 * append that changes it. Memory stores, repositories and skills are fixed when the session is created; a repository's token
 * may be replaced.
 */
export const SessionContents = z.object({
  /** In the order in which they were attached. */
  resources: z.array(Mounted),
  /** Of the session's agent, and of those that it may give work to, as they are when the session is created. */
  skills: z.array(MountedSkill).optional(),
});
export type SessionContents = z.infer<typeof SessionContents>;

/** Of the item's text: DynamoDB takes 400 KB, and each `GET` of the session reads it. */
export const MAX_CONTENTS_BYTES = 300_000;
