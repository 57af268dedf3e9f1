/** Links on which users consent; not in the contract, hence `x`. */
import * as z from 'zod';
import { Connect, ConnectCreate, ConnectsQuery } from '#contract/connect.ts';
import { ConnectId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { connectionsOfSession, connectionStatus, requestConnection } from '#core/connect/request-connection.ts';
import { administered } from '../administered.ts';
import { notFound, operation, ownHead } from '../operation.ts';

const create = operation({
  route: 'POST /v1/x/connect',
  summary: 'Make a link on which the user of a vault lets agents use an MCP server',
  body: ConnectCreate,
  response: Connect,
  handle(call) {
    const { world, workspace, body } = call;
    const target = { action: 'connect.create', vault: body.vault_id, credential: null, needs: 'vault_id' as const };
    return administered(call, target, () => requestConnection(world.connecting, workspace, body));
  },
});

const retrieve = operation({
  route: 'GET /v1/x/connect/{connect_id}',
  summary: 'Retrieve the state of a link; never a token',
  params: z.object({ connect_id: ConnectId }),
  response: Connect,
  async handle({ world, workspace, params }) {
    return (await connectionStatus(world.connecting, workspace, params.connect_id)) ?? notFound('connect_id');
  },
});

const list = operation({
  route: 'GET /v1/x/connect',
  summary: 'List the open links that calls of a session wait for',
  query: ConnectsQuery,
  response: pageOf(Connect),
  async handle({ world, workspace, query }) {
    if ((await ownHead(world, workspace, query.session_id)) === null) return notFound('session_id');
    return { data: await connectionsOfSession(world.connecting, workspace, query.session_id), next_page: null };
  },
});

export const connectOperations = [create, retrieve, list];
