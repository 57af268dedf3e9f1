import * as z from 'zod';
import type { Agent, SessionAgent } from '#contract/agents.ts';
import type { Guides } from '#contract/entries.ts';
import type { Environment } from '#contract/environments.ts';
import { SessionId, type AgentId } from '#contract/ids.ts';
import { bidirectionalPageOf } from '#contract/pages.ts';
import { SessionsQuery } from '#contract/queries.ts';
import { Session, SessionCreate, SessionDeleted, SessionUpdate, type AgentReference } from '#contract/sessions.ts';
import { overrideAgent } from '#core/agents/override.ts';
import { retiredModel, tooLarge } from '#core/tools/agent-rules.ts';
import { listingOf, type Listing } from '#core/agents/listing.ts';
import { resolveSkills, snapshotOf } from '#core/agents/resolve.ts';
import { refusedRosterServer, refusedServer } from '#core/environments/reach.ts';
import { rosterEnvironments, type RosterEnvironments } from '#core/environments/roster-environments.ts';
import type { PlannedAttachments } from '#core/files/attach-files.ts';
import { readRubrics } from '#core/files/read-rubrics.ts';
import { removeSessionFiles } from '#core/files/remove-session-files.ts';
import { writeCopies } from '#core/files/write-copies.ts';
import { packageList } from '#core/hands/packages.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { planFor } from '#core/session/attach.ts';
import { change } from '#core/session/change.ts';
import { closeForDeletion } from '#core/session/close-for-deletion.ts';
import { refusedRequest } from '#core/session/commands.ts';
import { createSession } from '#core/session/create.ts';
import { nameFiles } from '#core/session/decide-send.ts';
import { newContents, withSkills } from '#core/session/new-contents.ts';
import { listedSkills, sessionSkills, type SessionSkill } from '#core/skills/session-skills.ts';
import { endPasses } from '#core/session/pass-hand.ts';
import { outcomeChanges, viewOutcome } from '#core/session/outcomes.ts';
import { storeAndStart } from '#core/session/send.ts';
import { updateSession } from '#core/session/update.ts';
import { viewSession } from '#core/session/view.ts';
import { refusedVaults } from '../administered.ts';
import { keyOf, noteStart, notFound, operation, ownHead, type Call } from '../operation.ts';
import { listRequest, recordPage } from '../record-page.ts';

const Params = z.object({ session_id: SessionId });

/** A budget needs the list prices of models, which this service does not know. */
const NOT_BUDGETABLE = refuse('invalid_request_error', 'budget: budgets are not supported yet', 'model_not_budgetable');
/** No session has a budget that could be raised. An update to null is accepted and changes nothing. */
const NO_BUDGET = refuse('invalid_request_error', 'budget: the session was created without one', 'budget_create_only');

const create = operation({
  route: 'POST /v1/sessions',
  summary: 'Create a session',
  body: SessionCreate,
  response: Session,
  async handle(call) {
    const { world, workspace, body, note } = call;
    if (body.budget != null) return NOT_BUDGETABLE;
    const parts = await partsOf(call);
    if (isRefusal(parts)) return parts;
    const { agent, environment, skills, brought } = parts;
    const session = SessionId.parse(`sesn_${world.newToken()}`);
    note({ session });
    const resources = await newContents(world, { workspace, session }, body.resources ?? []);
    if (isRefusal(resources)) return resources;
    const given = withSkills(resources, agent, skills);
    if (isRefusal(given)) return given;
    const { contents } = given;
    const attached = await initialFiles(call, { workspace, session, model: agent.model.id });
    if (isRefusal(attached)) return attached;
    const initial = await readRubrics(world, workspace, { list: 'initial_events', events: body.initial_events ?? [] });
    if (isRefusal(initial)) return initial;
    const created = createSession(
      { ...body, initial_events: [...initial] },
      { workspace, session, agent, environment: environment.id, ...withEnvironments(given, brought), ...attached },
      world.stamp,
    );
    if (created.status === 'refused') {
      return refusedRequest(created, (field) => field.replace(/^events/, 'initial_events'));
    }
    const gone = await writeCopies(world, { workspace, session }, [...given.copies, ...attached.copies]);
    if (gone !== null) return gone;
    const { details, first } = created;
    const begins = first.state.run === 0 ? [] : [{ key: first.key, run: first.state.run, at: first.at }];
    // Kept with the session, because its environment may change or be deleted.
    const packages = packageList(environment.config.packages);
    const storing = world.sessions
      .create(workspace, details, { ...first, packages, contents })
      .then(() => ({ status: 'created' as const }));
    const { start } = await storeAndStart(world, storing, begins);
    noteStart(note, start);
    const { status, usage, runningSince } = first.state;
    const outcomes = [...outcomeChanges({}, first.entries).values()].map(viewOutcome);
    const instants = { runningSince, updatedAt: first.at, archivedAt: null };
    return viewSession({ details, contents, outcomes, workspace, status, usage, primary: null, ...instants }, first.at);
  },
});

/** With their packages: later changes of an environment do not reach the session. */
function withEnvironments<Given extends { readonly guides: Guides }>(given: Given, brought: RosterEnvironments): Given {
  if (brought.size === 0) return given;
  const own = [...brought].map(([agent, { id, config }]) => [agent, { id, packages: packageList(config.packages) }]);
  return { ...given, guides: { ...given.guides, environments: Object.fromEntries(own) } };
}

/** Of the session's first events. */
async function initialFiles(
  { world, body }: Call<unknown, unknown, SessionCreate>,
  to: Parameters<typeof planFor>[1],
): Promise<PlannedAttachments | RequestRefusal> {
  const events = body.initial_events ?? [];
  return nameFiles(events) ? planFor(world, to, { list: 'initial_events', events }) : { files: {}, copies: [] };
}

interface SessionParts extends Omit<OwnAgent, 'named'> {
  readonly environment: Environment;
  readonly brought: RosterEnvironments;
}

/** The agent and the environment that the request names, if a session with its vaults may have them. */
async function partsOf(call: Call<unknown, unknown, SessionCreate>): Promise<SessionParts | RequestRefusal> {
  const { world, workspace, body } = call;
  const reference = agentReference(body.agent);
  const [agent, environment] = await Promise.all([
    world.agents.find(workspace, reference.id, reference.version),
    world.environments.find(workspace, body.environment_id),
  ]);
  if (agent === null) return notFound('agent');
  if (environment === null) return notFound('environment_id');
  if (agent.archived_at !== null) return refuse('invalid_request_error', 'agent: is archived');
  if (environment.archived_at !== null) return refuse('invalid_request_error', 'environment_id: is archived');
  const asked = typeof body.agent === 'object' && 'model' in body.agent ? body.agent.model : undefined;
  const retired = retiredModel(world.retiredModels, asked, 'agent.');
  if (retired !== null) return retired;
  const own = await ownAgent(call, agent);
  if (isRefusal(own)) return own;
  const brought = await rosterEnvironments(world, workspace, own.named);
  if (isRefusal(brought)) return brought;
  const unfit =
    refusedServer(own.agent, environment.config.networking) ??
    refusedRosterServer(own.agent, environment.config.networking, brought) ??
    (await refusedVaults(call, body.vault_ids ?? []));
  return unfit ?? { agent: own.agent, skills: own.skills, environment, brought };
}

function agentReference(agent: AgentReference): { readonly id: AgentId; readonly version?: number } {
  if (typeof agent === 'string') return { id: agent };
  return agent.version === undefined ? { id: agent.id } : { id: agent.id, version: agent.version };
}

interface OwnAgent {
  readonly agent: SessionAgent;
  /** Of all its agents, those that it lists included. */
  readonly skills: readonly SessionSkill[];
  /** The environments that the listed agents name. */
  readonly named: Listing['environments'];
}

/** The session's own snapshot: a later change of the agent, or of what is the latest version of a skill, does not reach it. */
async function ownAgent(
  { world, workspace, body }: Call<unknown, unknown, SessionCreate>,
  agent: Agent,
): Promise<OwnAgent | RequestRefusal> {
  const overrides = typeof body.agent === 'object' && body.agent.type === 'agent_with_overrides' ? body.agent : null;
  const named = overrides?.skills === undefined ? agent.skills : resolveSkills(overrides.skills);
  const skills = await sessionSkills(world.skills, { workspace, field: 'agent.skills' }, named);
  if (isRefusal(skills)) return skills;
  const listing = await listingOf(world.agents, { workspace, agent }, undefined);
  if (isRefusal(listing)) return listing;
  const listed = await listedSkills(world.skills, workspace, listing.listed);
  if (isRefusal(listed)) return listed;
  const pinned = skills.map(({ skill }) => skill);
  const saved = snapshotOf(agent, pinned, listed.agents);
  const own = overrides === null ? saved : overrideAgent(saved, overrides);
  if (isRefusal(own)) return own;
  // The versions of skills are longer than `latest`.
  const large = own.multiagent === null ? null : tooLarge(own, 'agent');
  return large ?? { agent: own, skills: [...skills, ...listed.skills], named: listing.environments };
}

const retrieve = operation({
  route: 'GET /v1/sessions/{session_id}',
  summary: 'Retrieve a session',
  params: Params,
  response: Session,
  async handle({ world, workspace, params }) {
    const record = await world.sessions.find(workspace, params.session_id);
    return record === null ? notFound('session_id') : viewSession(record, world.stamp.now());
  },
});

const update = operation({
  route: 'POST /v1/sessions/{session_id}',
  summary: "Update a session's title or metadata, or, while it is idle, its agent's tools",
  params: Params,
  body: SessionUpdate,
  response: Session,
  async handle({ world, workspace, params, body, requestId }) {
    if (body.budget != null) return NO_BUDGET;
    const to = { workspace, key: keyOf(params.session_id), cause: requestId };
    const updated = await updateSession(world, to, body);
    if (updated === null) return notFound('session_id');
    return isRefusal(updated) ? updated : viewSession(updated, world.stamp.now());
  },
});

const list = operation({
  route: 'GET /v1/sessions',
  summary: 'List sessions, newest first unless asked otherwise',
  query: SessionsQuery,
  response: bidirectionalPageOf(Session),
  async handle({ world, workspace, query }) {
    const request = listRequest('sessions', query, workspace);
    if (isRefusal(request)) return request;
    if (query.deployment_id !== undefined) return { data: [], next_page: null, prev_page: null };
    const found = await world.sessions.list({
      ...request,
      statuses: query.statuses ?? null,
      agent: query.agent_id ?? null,
      agentVersion: query.agent_version ?? null,
      memoryStore: query.memory_store_id ?? null,
    });
    const now = world.stamp.now();
    return recordPage('sessions', request, { found, view: (record) => viewSession(record, now) });
  },
});

const archive = operation({
  route: 'POST /v1/sessions/{session_id}/archive',
  summary: 'Archive a session that is not running; its history stays readable',
  params: Params,
  response: Session,
  async handle({ world, workspace, params }) {
    const key = keyOf(params.session_id);
    const head = await ownHead(world, workspace, params.session_id);
    if (head === null) return notFound('session_id');
    const changed = await change(world, key, head, { do: 'archive' });
    if (changed.status === 'refused') return refusedRequest(changed);
    await endPasses(world, params.session_id, changed.head.state);
    // A crash before this line leaves the session terminated and unmarked; a repeat marks it.
    const now = world.stamp.now();
    const record = await world.sessions.archive(workspace, params.session_id, now);
    return record === null ? notFound('session_id') : viewSession(record, now);
  },
});

const remove = operation({
  route: 'DELETE /v1/sessions/{session_id}',
  summary: 'Delete a session that is not running, with its history, its files and its sandbox',
  params: Params,
  response: SessionDeleted,
  async handle({ world, workspace, params }) {
    const key = keyOf(params.session_id);
    const head = await ownHead(world, workspace, params.session_id);
    if (head === null) return notFound('session_id');
    const closed = await closeForDeletion(world, key, head);
    if (closed.status === 'refused') return refusedRequest(closed);
    await endPasses(world, params.session_id, closed.head.state);
    // The sandboxes go before the records that name them.
    await world.releasing.release(params.session_id);
    // The row goes first, so that the session is gone at once; the log last, because a repeat begins with it.
    await world.sessions.remove(params.session_id);
    await removeSessionFiles(world, params.session_id, closed.head.state);
    await world.remover.remove(params.session_id);
    return { id: params.session_id, type: 'session_deleted' as const };
  },
});

export const sessionOperations = [create, retrieve, update, list, archive, remove];
