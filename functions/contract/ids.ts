/** Identifiers: a prefix that tells the kind, `01`, and 22 base-62 characters. Opaque to clients. */
import * as z from 'zod';

const idOf = <Prefix extends string>(prefix: Prefix) =>
  z.string().regex(new RegExp(`^${prefix}_[0-9A-Za-z]{1,64}$`), `must be an id that starts with "${prefix}_"`);

export const AgentId = idOf('agent').brand<'AgentId'>();
export type AgentId = z.infer<typeof AgentId>;
export const EnvironmentId = idOf('env').brand<'EnvironmentId'>();
export type EnvironmentId = z.infer<typeof EnvironmentId>;
export const SessionId = idOf('sesn').brand<'SessionId'>();
export type SessionId = z.infer<typeof SessionId>;
export const ThreadId = idOf('sthr').brand<'ThreadId'>();
export type ThreadId = z.infer<typeof ThreadId>;
export const EventId = idOf('sevt').brand<'EventId'>();
export type EventId = z.infer<typeof EventId>;
export const WorkspaceId = idOf('wrkspc').brand<'WorkspaceId'>();
export type WorkspaceId = z.infer<typeof WorkspaceId>;
export const VaultId = idOf('vlt').brand<'VaultId'>();
export type VaultId = z.infer<typeof VaultId>;
export const CredentialId = idOf('vcrd').brand<'CredentialId'>();
export type CredentialId = z.infer<typeof CredentialId>;
export const FileId = idOf('file').brand<'FileId'>();
export type FileId = z.infer<typeof FileId>;
export const ResourceId = idOf('sesrsc').brand<'ResourceId'>();
export type ResourceId = z.infer<typeof ResourceId>;
export const MemoryStoreId = idOf('memstore').brand<'MemoryStoreId'>();
export type MemoryStoreId = z.infer<typeof MemoryStoreId>;
export const MemoryId = idOf('mem').brand<'MemoryId'>();
export type MemoryId = z.infer<typeof MemoryId>;
export const MemoryVersionId = idOf('memver').brand<'MemoryVersionId'>();
export type MemoryVersionId = z.infer<typeof MemoryVersionId>;
/** One user's consent to one server, from the link to the stored credential. */
export const ConnectId = idOf('conn').brand<'ConnectId'>();
export type ConnectId = z.infer<typeof ConnectId>;
/** A file that a client sends in parts. */
export const UploadId = idOf('upload').brand<'UploadId'>();
export type UploadId = z.infer<typeof UploadId>;
export const OutcomeId = idOf('outc').brand<'OutcomeId'>();
export type OutcomeId = z.infer<typeof OutcomeId>;
export const SkillVersionId = idOf('skver').brand<'SkillVersionId'>();
export type SkillVersionId = z.infer<typeof SkillVersionId>;
export const ApiKeyId = idOf('apikey').brand<'ApiKeyId'>();
export type ApiKeyId = z.infer<typeof ApiKeyId>;

/** Names a hand within its session: `main` is the session's own sandbox. */
export const HandId = z.string().regex(/^[0-9A-Za-z_-]{1,64}$/, 'must have 1 to 64 letters, digits, "_" and "-"');
export type HandId = z.infer<typeof HandId>;
/** A hand is one sandbox after another of one session: each that replaces a lost one is a generation of the same hand. */
export const HandKey = z.object({ session: SessionId, hand: HandId });
export type HandKey = Readonly<z.infer<typeof HandKey>>;

export function mainHand(session: SessionId): HandKey {
  return { session, hand: 'main' };
}

/** RFC 3339 UTC instant with milliseconds, as the clock port makes it. Sorts as text. */
export const Instant = z.iso.datetime();
export type Instant = z.infer<typeof Instant>;

/** The place of an entry in its session's log: 1 for the first entry; 0 is the beginning, before all entries. */
export const Position = z.int().min(0).brand<'Position'>();
export type Position = z.infer<typeof Position>;
export const LOG_START = Position.parse(0);
export const FIRST_POSITION = Position.parse(1);

export function positionAfter(position: Position, count = 1): Position {
  return Position.parse(position + count);
}

/** The primary thread's id follows from its session's, so that the key of a session's log is known without a read. */
export function primaryThread(session: SessionId): ThreadId {
  return ThreadId.parse(session.replace(/^sesn_/, 'sthr_'));
}
