import * as z from 'zod';
import { Environment, EnvironmentCreate } from '#contract/environments.ts';
import { EnvironmentId } from '#contract/ids.ts';
import { ListQuery, pageOf } from '#contract/pages.ts';
import { NoQuery } from '#contract/queries.ts';
import { resolveEnvironment } from '#core/environments/resolve.ts';
import { isRefusal } from '#core/requests/refusal.ts';
import { listRequest, recordPage } from '../record-page.ts';
import { notFound, operation } from '../operation.ts';
import { NoBody, NoParams } from './nothing.ts';

const createEnvironment = operation({
  method: 'POST',
  path: '/v1/environments',
  summary: 'Create an environment',
  params: NoParams,
  query: NoQuery,
  body: EnvironmentCreate,
  response: Environment,
  async handle({ world, workspace, body }) {
    const id = EnvironmentId.parse(`env_${world.newToken()}`);
    const environment = resolveEnvironment(body, id, world.stamp.now());
    await world.environments.create(workspace, environment);
    return environment;
  },
});

const retrieveEnvironment = operation({
  method: 'GET',
  path: '/v1/environments/{environment_id}',
  summary: 'Retrieve an environment',
  params: z.object({ environment_id: EnvironmentId }),
  query: NoQuery,
  body: NoBody,
  response: Environment,
  async handle({ world, workspace, params }) {
    return (await world.environments.find(workspace, params.environment_id)) ?? notFound('environment_id');
  },
});

const listEnvironments = operation({
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

export const environmentOperations = [createEnvironment, retrieveEnvironment, listEnvironments];
