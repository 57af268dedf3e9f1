import * as z from 'zod';
import { ResourceId, SessionId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { ResourcesQuery } from '#contract/queries.ts';
import { FileResource, ResourceAdd, ResourceDeleted, ResourceUpdate, SessionResource } from '#contract/resources.ts';
import { isRefusal, refuse } from '#core/ports/errors.ts';
import { addFile, removeResource, replaceToken } from '#core/session/change-resources.ts';
import { viewResource } from '#core/session/view.ts';
import { keyedPages } from '../cursor.ts';
import { keyOf, notFound, operation } from '../operation.ts';

const Params = z.object({ session_id: SessionId });
const ResourceParams = Params.extend({ resource_id: ResourceId });

/** Resources keep their order, and one that is removed leaves its cursor without a place: that list begins anew. */
const { follows, page } = keyedPages('asc', ResourceId);
const listOf = (session: SessionId) => `resources of ${session}`;
const GONE = refuse('invalid_request_error', 'page: the resource that it follows was removed: begin the list anew');

const add = operation({
  route: 'POST /v1/sessions/{session_id}/resources',
  summary: 'Add a file to a session: its next tool call finds it',
  params: Params,
  body: ResourceAdd,
  response: FileResource,
  async handle({ world, workspace, params, body, requestId }) {
    const to = { workspace, key: keyOf(params.session_id), cause: requestId };
    return (await addFile(world, to, body)) ?? notFound('session_id');
  },
});

const list = operation({
  route: 'GET /v1/sessions/{session_id}/resources',
  summary: "List a session's resources in the order in which they were attached",
  params: Params,
  query: ResourcesQuery,
  response: pageOf(SessionResource),
  async handle({ world, workspace, params, query }) {
    const session = await world.sessions.find(workspace, params.session_id);
    if (session === null) return notFound('session_id');
    const last = follows(listOf(params.session_id), query.page);
    if (isRefusal(last)) return last;
    const all = (session.contents?.resources ?? []).map(viewResource);
    const index = last === null ? 0 : all.findIndex(({ id }) => id === last) + 1;
    if (last !== null && index === 0) return GONE;
    const rows = all.slice(index, index + (query.limit ?? all.length));
    return page(listOf(params.session_id), { rows, more: index + rows.length < all.length }, ({ id }) => id);
  },
});

const retrieve = operation({
  route: 'GET /v1/sessions/{session_id}/resources/{resource_id}',
  summary: "Retrieve one of a session's resources",
  params: ResourceParams,
  response: SessionResource,
  async handle({ world, workspace, params }) {
    const session = await world.sessions.find(workspace, params.session_id);
    if (session === null) return notFound('session_id');
    const found = session.contents?.resources.find(({ id }) => id === params.resource_id);
    return found === undefined ? notFound('resource_id') : viewResource(found);
  },
});

const update = operation({
  route: 'POST /v1/sessions/{session_id}/resources/{resource_id}',
  summary: 'Replace the token of a repository; other resources have none, so it is refused',
  params: ResourceParams,
  body: ResourceUpdate,
  response: SessionResource,
  async handle({ world, workspace, params, body, requestId }) {
    const to = { workspace, key: keyOf(params.session_id), cause: requestId };
    const change = { id: params.resource_id, token: body.authorization_token };
    return (await replaceToken(world, to, change)) ?? notFound('resource_id');
  },
});

const remove = operation({
  route: 'DELETE /v1/sessions/{session_id}/resources/{resource_id}',
  summary: 'Remove a file from a session: its next tool call does not find it',
  params: ResourceParams,
  response: ResourceDeleted,
  async handle({ world, workspace, params, requestId }) {
    const to = { workspace, key: keyOf(params.session_id), cause: requestId };
    const removed = await removeResource(world, to, params.resource_id);
    if (removed === 'removed') return { id: params.resource_id, type: 'session_resource_deleted' as const };
    return removed ?? notFound('resource_id');
  },
});

export const resourceOperations = [add, list, retrieve, update, remove];
