/** The route table: routes and the OpenAPI document are made from it. */
import * as z from 'zod';
import { FileId, SessionId, ThreadId } from '#contract/ids.ts';
import { StreamFrame } from '#contract/previews.ts';
import { NoQuery, StreamQuery } from '#contract/queries.ts';
import { SkillId, SkillVersionRef } from '#contract/skills.ts';
import { routeOf, type Operation } from './operation.ts';
import { agentOperations } from './operations/agents.ts';
import { auditOperations } from './operations/audit.ts';
import { connectOperations } from './operations/connect.ts';
import { credentialOperations } from './operations/credentials.ts';
import { environmentOperations } from './operations/environments.ts';
import { fileOperations } from './operations/files.ts';
import { eventOperations } from './operations/events.ts';
import { mcpServerOperations } from './operations/mcp-servers.ts';
import { handOperations } from './operations/hands.ts';
import { memoryOperations } from './operations/memories.ts';
import { memoryStoreOperations } from './operations/memory-stores.ts';
import { modelOperations } from './operations/models.ts';
import { policyOperations } from './operations/policy.ts';
import { resourceOperations } from './operations/resources.ts';
import { sessionOperations } from './operations/sessions.ts';
import { skillOperations } from './operations/skills.ts';
import { threadOperations } from './operations/threads.ts';
import { uploadOperations } from './operations/uploads.ts';
import { vaultOperations } from './operations/vaults.ts';
import { NOT_YET } from './not-yet.ts';

export type Route = Pick<Operation, 'method' | 'path' | 'summary' | 'params' | 'query' | 'response'> &
  (
    | (Pick<Operation, 'run' | 'body' | 'form'> & { readonly status: 'built' })
    /** Answered by the function `stream`, to which the gateway sends these paths. */
    | { readonly status: 'streamed' | 'downloaded' }
  );

const streams: readonly Route[] = [
  {
    ...routeOf('GET /v1/sessions/{session_id}/events/stream'),
    summary: "Follow a session's events as they happen",
    params: z.object({ session_id: SessionId }),
  },
  {
    ...routeOf('GET /v1/sessions/{session_id}/threads/{thread_id}/stream'),
    summary: "Follow a thread's events as they happen",
    params: z.object({ session_id: SessionId, thread_id: ThreadId }),
  },
].map((route) => ({ ...route, status: 'streamed', query: StreamQuery, response: StreamFrame }));

const downloads: readonly Route[] = [
  {
    ...routeOf('GET /v1/files/{file_id}/content'),
    summary: 'Download a file that a session wrote',
    params: z.object({ file_id: FileId }),
  },
  {
    ...routeOf('GET /v1/skills/{skill_id}/versions/{version}/content'),
    summary: "Download a skill's version as a zip",
    params: z.object({ skill_id: SkillId, version: SkillVersionRef }),
  },
].map((route) => ({ ...route, status: 'downloaded', query: NoQuery, response: z.string() }));

const built = [
  ...agentOperations,
  ...environmentOperations,
  ...sessionOperations,
  ...threadOperations,
  ...handOperations,
  ...resourceOperations,
  ...eventOperations,
  ...fileOperations,
  ...uploadOperations,
  ...skillOperations,
  ...vaultOperations,
  ...credentialOperations,
  ...memoryStoreOperations,
  ...memoryOperations,
  ...modelOperations,
  ...auditOperations,
  ...connectOperations,
  ...policyOperations,
  ...mcpServerOperations,
];

export const ROUTES: readonly Route[] = [
  ...built.map((operation) => ({ ...operation, status: 'built' as const })),
  ...streams,
  ...downloads,
];

export const UNBUILT = NOT_YET.map(routeOf);
