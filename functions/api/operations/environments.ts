import * as z from 'zod';
import { Environment, EnvironmentCreate, EnvironmentUpdate } from '#contract/environments.ts';
import { EnvironmentId } from '#contract/ids.ts';
import { ListQuery, pageOf } from '#contract/pages.ts';
import { resolveEnvironment } from '#core/environments/resolve.ts';
import { updateEnvironment } from '#core/environments/update.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { notFound, operation } from '../operation.ts';
import { forwardPage } from '../record-page.ts';

const Params = z.object({ environment_id: EnvironmentId });

const create = operation({
  route: 'POST /v1/environments',
  summary: 'Create an environment; its networking decides what programs in its sandboxes reach',
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
  route: 'GET /v1/environments/{environment_id}',
  summary: 'Retrieve an environment',
  params: Params,
  response: Environment,
  async handle({ world, workspace, params }) {
    return (await world.environments.find(workspace, params.environment_id)) ?? notFound('environment_id');
  },
});

const list = operation({
  route: 'GET /v1/environments',
  summary: 'List environments, newest first',
  query: ListQuery,
  response: pageOf(Environment),
  handle: (call) => forwardPage('environments', call, (request) => call.world.environments.list(request)),
});

const update = operation({
  route: 'POST /v1/environments/{environment_id}',
  summary: 'Update an environment, for sessions that are created afterwards',
  params: Params,
  body: EnvironmentUpdate,
  response: Environment,
  async handle({ world, workspace, params: { environment_id: id }, body }) {
    return (await updateEnvironment(world, { workspace, id }, body)) ?? notFound('environment_id');
  },
});

const archive = operation({
  route: 'POST /v1/environments/{environment_id}/archive',
  summary: 'Archive an environment: its sessions go on, new ones are refused',
  params: Params,
  response: Environment,
  async handle({ world, workspace, params: { environment_id: id } }) {
    return (await world.environments.archive(workspace, id, world.stamp.now())) ?? notFound('environment_id');
  },
});

const remove = operation({
  route: 'DELETE /v1/environments/{environment_id}',
  summary: 'Delete an environment, archived or not; its sessions stay readable',
  params: Params,
  response: z.object({ id: EnvironmentId, type: z.literal('environment_deleted') }).meta({ id: 'EnvironmentDeleted' }),
  async handle({ world, workspace, params: { environment_id: id } }) {
    const removed = await world.environments.remove(workspace, id);
    return removed ? { id, type: 'environment_deleted' as const } : notFound('environment_id');
  },
});

export const environmentOperations = [create, retrieve, update, list, archive, remove];
