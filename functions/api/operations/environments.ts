import * as z from 'zod';
import { Environment, EnvironmentCreate, EnvironmentUpdate } from '#contract/environments.ts';
import { EnvironmentId } from '#contract/ids.ts';
import { ListQuery, pageOf } from '#contract/pages.ts';
import { NoQuery } from '#contract/queries.ts';
import { resolveEnvironment } from '#core/environments/resolve.ts';
import { updateEnvironment } from '#core/environments/update.ts';
import { isRefusal } from '#core/ports/refusal.ts';
import { listRequest, recordPage } from '../record-page.ts';
import { notFound, operation } from '../operation.ts';
import { NoBody, NoParams } from './nothing.ts';

const Params = z.object({ environment_id: EnvironmentId });

const create = operation({
  method: 'POST',
  path: '/v1/environments',
  summary: 'Create an environment; its networking is saved and opens nothing yet: sandboxes have no network',
  params: NoParams,
  query: NoQuery,
  body: EnvironmentCreate,
  response: Environment,
  async handle({ world, workspace, body }) {
    const id = EnvironmentId.parse(`env_${world.newToken()}`);
    const environment = resolveEnvironment(body, id, world.stamp.now());
    if (isRefusal(environment)) return environment;
    await world.environments.create(workspace, environment);
    return environment;
  },
});

const retrieve = operation({
  method: 'GET',
  path: '/v1/environments/{environment_id}',
  summary: 'Retrieve an environment',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: Environment,
  async handle({ world, workspace, params }) {
    return (await world.environments.find(workspace, params.environment_id)) ?? notFound('environment_id');
  },
});

const list = operation({
  method: 'GET',
  path: '/v1/environments',
  summary: 'List environments, newest first',
  params: NoParams,
  query: ListQuery,
  body: NoBody,
  response: pageOf(Environment),
  async handle({ world, workspace, query }) {
    const request = listRequest('environments', query, workspace);
    if (isRefusal(request)) return request;
    const found = await world.environments.list(request);
    const { data, next_page } = recordPage('environments', request, { found, view: (environment) => environment });
    return { data, next_page };
  },
});

const update = operation({
  method: 'POST',
  path: '/v1/environments/{environment_id}',
  summary: 'Update an environment, for sessions that are created afterwards',
  params: Params,
  query: NoQuery,
  body: EnvironmentUpdate,
  response: Environment,
  async handle({ world, workspace, params: { environment_id: id }, body }) {
    return (await updateEnvironment(world, { workspace, id }, body)) ?? notFound('environment_id');
  },
});

const archive = operation({
  method: 'POST',
  path: '/v1/environments/{environment_id}/archive',
  summary: 'Archive an environment: its sessions go on, new ones are refused',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: Environment,
  async handle({ world, workspace, params: { environment_id: id } }) {
    return (await world.environments.archive(workspace, id, world.stamp.now())) ?? notFound('environment_id');
  },
});

const remove = operation({
  method: 'DELETE',
  path: '/v1/environments/{environment_id}',
  summary: 'Delete an environment, archived or not; its sessions stay readable',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: z.object({ id: EnvironmentId, type: z.literal('environment_deleted') }).meta({ id: 'EnvironmentDeleted' }),
  async handle({ world, workspace, params: { environment_id: id } }) {
    const removed = await world.environments.remove(workspace, id);
    return removed ? { id, type: 'environment_deleted' as const } : notFound('environment_id');
  },
});

export const environmentOperations = [create, retrieve, update, list, archive, remove];
