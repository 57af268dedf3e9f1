/** Every buffered operation of the API, behind API Gateway. */
import { apiWorld } from '#aws/worlds/api.ts';
import { API_ROUTES, gatewayHandler } from '../http/gateway.ts';
import { createApp } from './app.ts';

const world = apiWorld(process.env);

export const handler = gatewayHandler(API_ROUTES, { fetch: createApp(world).fetch, journal: world.journal });
