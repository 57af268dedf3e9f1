/**
 * Each response has the type that the SDK promises, and each request that the SDK's types allow is accepted. `npm run
 * types` is the test: there is one line per type, and a line that is wrong does not compile.
 */
import type { BidirectionalPageCursorResponse, PageCursorResponse } from '@anthropic-ai/sdk/core/pagination';
import type * as agents from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type * as versions from '@anthropic-ai/sdk/resources/beta/agents/versions';
import type * as files from '@anthropic-ai/sdk/resources/beta/files';
import type * as environments from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type * as events from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type * as resources from '@anthropic-ai/sdk/resources/beta/sessions/resources';
import type * as sessions from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type * as memories from '@anthropic-ai/sdk/resources/beta/memory-stores/memories';
import type * as memoryStores from '@anthropic-ai/sdk/resources/beta/memory-stores/memory-stores';
import type * as memoryVersions from '@anthropic-ai/sdk/resources/beta/memory-stores/memory-versions';
import type * as earlierMemories from 'sdk-0.104/resources/beta/memory-stores/memories';
import type * as earlierMemoryVersions from 'sdk-0.104/resources/beta/memory-stores/memory-versions';
import type * as credentials from '@anthropic-ai/sdk/resources/beta/vaults/credentials';
import type * as vaults from '@anthropic-ai/sdk/resources/beta/vaults/vaults';
import type * as shared from '@anthropic-ai/sdk/resources/shared';
import type * as z from 'zod';
import type { Agent, AgentCreate, AgentUpdate, SessionAgent } from '#contract/agents.ts';
import type { Environment, EnvironmentCreate, EnvironmentUpdate } from '#contract/environments.ts';
import type { ErrorEnvelope, ErrorType } from '#contract/errors.ts';
import type { EventType } from '#contract/event-types.ts';
import type { EventsSend, SessionEvent, SessionEventType } from '#contract/events.ts';
import type { FileDeleted, FileMetadata } from '#contract/files.ts';
import type { bidirectionalPageOf, ListQuery, pageOf } from '#contract/pages.ts';
import type {
  AgentQuery,
  AgentsQuery,
  EventsQuery,
  ResourcesQuery,
  SessionsQuery,
  StreamQuery,
  VersionsQuery,
} from '#contract/queries.ts';
import type { PreviewFrame } from '#contract/previews.ts';
import type { Session, SessionCreate, SessionDeleted, SessionUpdate } from '#contract/sessions.ts';
import type { FileResource, MemoryStoreResource, ResourceDeleted, ResourceUpdate } from '#contract/resources.ts';
import type { ToolName } from '#contract/tools.ts';
import type { Usage } from '#contract/usage.ts';
import type { CredentialCreate, CredentialUpdate } from '#contract/credential-requests.ts';
import type { CredentialValidation } from '#contract/credential-validation.ts';
import type { Credential, CredentialDeleted } from '#contract/credentials.ts';
import type {
  ChangeViewQuery,
  MemoriesQuery,
  Memory,
  MemoryCreate,
  MemoryDeleted,
  MemoryDeleteQuery,
  MemoryListItem,
  MemoryStore,
  MemoryStoreCreate,
  MemoryStoreDeleted,
  MemoryStoresQuery,
  MemoryStoreUpdate,
  MemoryUpdate,
  MemoryVersion,
  MemoryVersionsQuery,
  ReadViewQuery,
} from '#contract/memory.ts';
import type { Vault, VaultCreate, VaultDeleted, VaultUpdate } from '#contract/vaults.ts';

/** Requests for features that are not built; they are refused by name. */
type LaterAgentField = 'skills';
/** The same for IAM roles. */
type LaterVariant = 'aws_role';
/** Fields of responses that no request may have. */
type ToldVariant = 'redacted';
/** Where the SDK has a string, the contract has a narrower type; of two scopes it refuses one. */
type NarrowerField = 'inference_geo' | 'scope';
/** The same in a field that must be there. */
type NarrowerRequired = 'media_type';

/** A type as JSON has it, without undefined fields. */
type Wire<T> = T extends string | number | boolean | null
  ? T
  : T extends readonly (infer Item)[]
    ? Wire<Item>[]
    : T extends { readonly name: ToolName; readonly type: ToolName }
      ? Named<T, T['name']>
      : { [Key in keyof T]: Wire<Exclude<T[Key], undefined>> };

/** A tool's `type` is its `name`, which a schema of two fields cannot express. */
type Named<T, Name> = Name extends string ? Wire<Omit<T, 'name' | 'type'>> & { name: Name; type: Name } : never;

type NothingElse<Ours, Sdk> = { [Key in Exclude<keyof Ours, keyof Sdk>]: never };

/** A response has the SDK's type, and no field that the SDK does not know. */
type Answer<Ours extends Sdk & NothingElse<Ours, Sdk>, Sdk> = Ours;

/** Every value that the SDK's type allows has the type that our schema accepts, and no unknown field. */
type Taken<Sdk extends Ours & NothingElse<Sdk, Ours>, Ours> = Sdk;

type Within<Narrow extends Wide, Wide> = Narrow;

/** The parameters of an SDK call that are sent in the body or the query. The others are headers. */
type Sent<Params, Later extends keyof Params = never> = Offered<Wire<Omit<Params, 'betas' | 'workspace_id' | Later>>>;

/** Without the values that are refused by their type. */
type Offered<T> = T extends string | number | boolean | null
  ? T
  : T extends { readonly type: LaterVariant | ToldVariant }
    ? never
    : T extends readonly (infer Item)[]
      ? Offered<Item>[]
      : { [Key in keyof T as Exclude<Key, NarrowerField>]: Key extends NarrowerRequired ? never : Offered<T[Key]> };

type Page<Item extends z.ZodType> = Wire<z.infer<ReturnType<typeof pageOf<Item>>>>;
type TwoWayPage<Item extends z.ZodType> = Wire<z.infer<ReturnType<typeof bidirectionalPageOf<Item>>>>;

export type Objects = [
  Answer<Wire<Agent>, agents.BetaManagedAgentsAgent>,
  Answer<Wire<SessionAgent>, sessions.BetaManagedAgentsSessionAgent>,
  Answer<Wire<z.infer<typeof FileMetadata>>, files.BetaFileMetadata>,
  Answer<Wire<z.infer<typeof FileDeleted>>, files.BetaDeletedFile>,
  Answer<Wire<Environment>, environments.BetaEnvironment>,
  Answer<Wire<Session>, sessions.BetaManagedAgentsSession>,
  Answer<Wire<Usage>, sessions.BetaManagedAgentsSessionUsage>,
  Answer<Wire<FileResource>, resources.BetaManagedAgentsFileResource>,
  Within<Wire<MemoryStoreResource>, resources.BetaManagedAgentsMemoryStoreResource>,
  Answer<Wire<z.infer<typeof ResourceDeleted>>, resources.BetaManagedAgentsDeleteSessionResource>,
  Answer<Wire<SessionDeleted>, sessions.BetaManagedAgentsDeletedSession>,
  Answer<Page<typeof Agent>, PageCursorResponse<agents.BetaManagedAgentsAgent>>,
  Answer<Page<typeof Environment>, PageCursorResponse<environments.BetaEnvironment>>,
  Answer<TwoWayPage<typeof Session>, BidirectionalPageCursorResponse<sessions.BetaManagedAgentsSession>>,
  Answer<Wire<Vault>, vaults.BetaManagedAgentsVault>,
  Answer<Wire<VaultDeleted>, vaults.BetaManagedAgentsDeletedVault>,
  Answer<Wire<Credential>, credentials.BetaManagedAgentsCredential>,
  Answer<Wire<CredentialDeleted>, credentials.BetaManagedAgentsDeletedCredential>,
  Answer<Wire<CredentialValidation>, credentials.BetaManagedAgentsCredentialValidation>,
  Answer<Page<typeof Vault>, PageCursorResponse<vaults.BetaManagedAgentsVault>>,
  Answer<Page<typeof Credential>, PageCursorResponse<credentials.BetaManagedAgentsCredential>>,
  Answer<Wire<MemoryStore>, memoryStores.BetaManagedAgentsMemoryStore>,
  Answer<Wire<z.infer<typeof MemoryStoreDeleted>>, memoryStores.BetaManagedAgentsDeletedMemoryStore>,
  Answer<Wire<Memory>, memories.BetaManagedAgentsMemory>,
  Answer<Wire<Memory>, earlierMemories.BetaManagedAgentsMemory>,
  Answer<Wire<z.infer<typeof MemoryDeleted>>, memories.BetaManagedAgentsDeletedMemory>,
  Within<Wire<z.infer<typeof MemoryListItem>>, memories.BetaManagedAgentsMemoryListItem>,
  Answer<Wire<MemoryVersion>, memoryVersions.BetaManagedAgentsMemoryVersion>,
  Answer<Wire<MemoryVersion>, earlierMemoryVersions.BetaManagedAgentsMemoryVersion>,
  Answer<Page<typeof MemoryStore>, PageCursorResponse<memoryStores.BetaManagedAgentsMemoryStore>>,
  Answer<Page<typeof MemoryVersion>, PageCursorResponse<memoryVersions.BetaManagedAgentsMemoryVersion>>,
  Within<ErrorEnvelope['request_id'], shared.ErrorResponse['request_id']>,
  // The documentation names this value, and the SDK's type allows any string here.
  Within<Exclude<ErrorType, 'request_too_large'>, shared.ErrorType>,
];

export type Previews = [
  Answer<Wire<Extract<PreviewFrame, { type: 'event_start' }>>, sessions.BetaManagedAgentsStartEvent>,
  Answer<Wire<Extract<PreviewFrame, { type: 'event_delta' }>>, sessions.BetaManagedAgentsDeltaEvent>,
];

type Event<Type extends string> = Wire<Extract<SessionEvent, { type: Type }>>;
type Listed = Wire<SessionEvent>;

/**
 * A type that no session emits yet is `never`, and the line is trivially true. It takes effect when the type is built.
 */
export type Events = {
  'user.message': Answer<Event<'user.message'>, events.BetaManagedAgentsUserMessageEvent>;
  'user.interrupt': Answer<Event<'user.interrupt'>, events.BetaManagedAgentsUserInterruptEvent>;
  'user.tool_confirmation': Answer<Event<'user.tool_confirmation'>, events.BetaManagedAgentsUserToolConfirmationEvent>;
  'user.custom_tool_result': Answer<
    Event<'user.custom_tool_result'>,
    events.BetaManagedAgentsUserCustomToolResultEvent
  >;
  'user.define_outcome': Answer<Event<'user.define_outcome'>, events.BetaManagedAgentsUserDefineOutcomeEvent>;
  'system.message': Answer<Event<'system.message'>, sessions.BetaManagedAgentsSystemMessageEvent>;
  'agent.message': Answer<Event<'agent.message'>, events.BetaManagedAgentsAgentMessageEvent>;
  'agent.thinking': Answer<Event<'agent.thinking'>, events.BetaManagedAgentsAgentThinkingEvent>;
  'agent.tool_use': Answer<Event<'agent.tool_use'>, events.BetaManagedAgentsAgentToolUseEvent>;
  'agent.tool_result': Answer<Event<'agent.tool_result'>, events.BetaManagedAgentsAgentToolResultEvent>;
  'agent.mcp_tool_use': Answer<Event<'agent.mcp_tool_use'>, events.BetaManagedAgentsAgentMCPToolUseEvent>;
  'agent.mcp_tool_result': Answer<Event<'agent.mcp_tool_result'>, events.BetaManagedAgentsAgentMCPToolResultEvent>;
  'agent.custom_tool_use': Answer<Event<'agent.custom_tool_use'>, events.BetaManagedAgentsAgentCustomToolUseEvent>;
  'agent.thread_context_compacted': Answer<
    Event<'agent.thread_context_compacted'>,
    events.BetaManagedAgentsAgentThreadContextCompactedEvent
  >;
  'session.status_running': Answer<Event<'session.status_running'>, events.BetaManagedAgentsSessionStatusRunningEvent>;
  'session.status_idle': Answer<Event<'session.status_idle'>, events.BetaManagedAgentsSessionStatusIdleEvent>;
  'session.status_rescheduled': Answer<
    Event<'session.status_rescheduled'>,
    events.BetaManagedAgentsSessionStatusRescheduledEvent
  >;
  'session.status_terminated': Answer<
    Event<'session.status_terminated'>,
    events.BetaManagedAgentsSessionStatusTerminatedEvent
  >;
  'session.error': Answer<Event<'session.error'>, events.BetaManagedAgentsSessionErrorEvent>;
  'session.updated': Answer<Event<'session.updated'>, sessions.BetaManagedAgentsSessionUpdatedEvent>;
  'session.usage': Answer<Event<'session.usage'>, sessions.BetaManagedAgentsSessionUsageEvent>;
  'session.deleted': Answer<Event<'session.deleted'>, events.BetaManagedAgentsSessionDeletedEvent>;
  'session.thread_created': Answer<Event<'session.thread_created'>, events.BetaManagedAgentsSessionThreadCreatedEvent>;
  'agent.thread_message_sent': Answer<
    Event<'agent.thread_message_sent'>,
    events.BetaManagedAgentsAgentThreadMessageSentEvent
  >;
  'agent.thread_message_received': Answer<
    Event<'agent.thread_message_received'>,
    events.BetaManagedAgentsAgentThreadMessageReceivedEvent
  >;
  'session.thread_status_running': Answer<
    Event<'session.thread_status_running'>,
    events.BetaManagedAgentsSessionThreadStatusRunningEvent
  >;
  'session.thread_status_idle': Answer<
    Event<'session.thread_status_idle'>,
    events.BetaManagedAgentsSessionThreadStatusIdleEvent
  >;
  'session.thread_status_rescheduled': Answer<
    Event<'session.thread_status_rescheduled'>,
    events.BetaManagedAgentsSessionThreadStatusRescheduledEvent
  >;
  'session.thread_status_terminated': Answer<
    Event<'session.thread_status_terminated'>,
    events.BetaManagedAgentsSessionThreadStatusTerminatedEvent
  >;
  'span.model_request_start': Answer<
    Event<'span.model_request_start'>,
    events.BetaManagedAgentsSpanModelRequestStartEvent
  >;
  'span.outcome_evaluation_start': Answer<
    Event<'span.outcome_evaluation_start'>,
    events.BetaManagedAgentsSpanOutcomeEvaluationStartEvent
  >;
  'span.outcome_evaluation_ongoing': Answer<
    Event<'span.outcome_evaluation_ongoing'>,
    events.BetaManagedAgentsSpanOutcomeEvaluationOngoingEvent
  >;
  'span.outcome_evaluation_end': Answer<
    Event<'span.outcome_evaluation_end'>,
    events.BetaManagedAgentsSpanOutcomeEvaluationEndEvent
  >;
  'span.model_request_end': Answer<Event<'span.model_request_end'>, events.BetaManagedAgentsSpanModelRequestEndEvent>;
};

export type Unions = [
  // The emitted events have their line above.
  Within<SessionEventType, keyof Events>,
  Within<Listed, events.BetaManagedAgentsSessionEvent>,
  Within<Listed, events.BetaManagedAgentsStreamSessionEvents>,
  // The SDK's list of filters leaves out an event that no list returns.
  Within<Exclude<EventType, 'session.deleted'>, events.BetaManagedAgentsSessionEventType>,
  Within<events.BetaManagedAgentsSessionEventType, EventType>,
];

export type Bodies = [
  Taken<Sent<agents.AgentCreateParams, LaterAgentField>, z.input<typeof AgentCreate>>,
  Taken<Sent<agents.AgentUpdateParams, LaterAgentField>, z.input<typeof AgentUpdate>>,
  Taken<Sent<environments.EnvironmentCreateParams>, z.input<typeof EnvironmentCreate>>,
  Taken<Sent<environments.EnvironmentUpdateParams>, z.input<typeof EnvironmentUpdate>>,
  Taken<Sent<sessions.SessionCreateParams>, z.input<typeof SessionCreate>>,
  // The SDK has this parameter and says that it is always refused.
  Taken<Sent<sessions.SessionUpdateParams, 'vault_ids'>, z.input<typeof SessionUpdate>>,
  // The path names the session.
  Taken<Sent<resources.ResourceUpdateParams, 'session_id'>, z.input<typeof ResourceUpdate>>,
  Taken<Sent<events.EventSendParams>, z.input<typeof EventsSend>>,
  Taken<Sent<vaults.VaultCreateParams>, z.input<typeof VaultCreate>>,
  Taken<Sent<vaults.VaultUpdateParams>, z.input<typeof VaultUpdate>>,
  Taken<Sent<credentials.CredentialCreateParams>, z.input<typeof CredentialCreate>>,
  Taken<Sent<memoryStores.MemoryStoreCreateParams>, z.input<typeof MemoryStoreCreate>>,
  Taken<Sent<memoryStores.MemoryStoreUpdateParams>, z.input<typeof MemoryStoreUpdate>>,
  Taken<Sent<memories.MemoryCreateParams, 'view'>, z.input<typeof MemoryCreate>>,
  // The path names the store.
  Taken<Sent<memories.MemoryUpdateParams, 'view' | 'memory_store_id'>, z.input<typeof MemoryUpdate>>,
  // The path names the vault.
  Taken<Sent<credentials.CredentialUpdateParams, 'vault_id'>, z.input<typeof CredentialUpdate>>,
];

/** Every value in a query is text, so these lines compare names. The calls of the rows compare values. */
type Names<Params> = keyof Sent<Params>;
type Query<Schema extends z.ZodType> = keyof z.input<Schema>;

export type Queries = [
  Within<Names<agents.AgentRetrieveParams>, Query<typeof AgentQuery>>,
  Within<Names<agents.AgentListParams>, Query<typeof AgentsQuery>>,
  Within<Names<versions.VersionListParams>, Query<typeof VersionsQuery>>,
  Within<Names<environments.EnvironmentListParams>, Query<typeof ListQuery>>,
  Within<Names<sessions.SessionListParams>, Query<typeof SessionsQuery>>,
  Within<Names<vaults.VaultListParams>, Query<typeof ListQuery>>,
  Within<Names<credentials.CredentialListParams>, Query<typeof ListQuery>>,
  Within<Names<memoryStores.MemoryStoreListParams>, Query<typeof MemoryStoresQuery>>,
  Within<'view', Query<typeof ChangeViewQuery> & Query<typeof ReadViewQuery>>,
  Within<Names<memories.MemoryListParams>, Query<typeof MemoriesQuery>>,
  Within<keyof Wire<Omit<earlierMemories.MemoryListParams, 'betas'>>, Query<typeof MemoriesQuery>>,
  Within<Exclude<Names<memories.MemoryDeleteParams>, 'memory_store_id'>, Query<typeof MemoryDeleteQuery>>,
  Within<Names<memoryVersions.MemoryVersionListParams>, Query<typeof MemoryVersionsQuery>>,
  Within<Names<resources.ResourceListParams>, Query<typeof ResourcesQuery>>,
  Within<Names<events.EventListParams>, Query<typeof EventsQuery>>,
  Within<Names<events.EventStreamParams>, Query<typeof StreamQuery>>,
];
