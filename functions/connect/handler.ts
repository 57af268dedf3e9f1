/** The pages on which users consent, behind API Gateway. */
import { connectWorld } from '#aws/worlds/connect.ts';
import { gatewayHandler } from '../http/gateway.ts';
import { createConnectApp } from './app.ts';

const world = connectWorld(process.env);

export const handler = gatewayHandler(
  // Where the pages are reached is a setting, and never what a client says in a header.
  { prefix: '/connect', headers: ['cookie', 'content-type'] },
  { fetch: createConnectApp(world).fetch, journal: world.journal },
);
