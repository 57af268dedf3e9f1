/** A driven Chromium, and the pages over real HTTP, which a browser needs. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { chromium } from 'playwright-core';
import { bodyOf, listenHere } from '#test/mcp/listening.ts';
import { npmChromium } from './npm-chromium.ts';
import { startFlow, type FlowOptions } from './flow.ts';

const ARGUMENTS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

export async function launchChromium() {
  return chromium.launch({ ...(await npmChromium()), args: ARGUMENTS });
}

/**
 * The stage is in the path, as in API Gateway. Browsers keep `Secure` cookies over http for this host. Identity
 * provider, authorization server and MCP server have other origins.
 */
export async function startServedFlow(options: FlowOptions = {}) {
  let serve = async (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(503).end();
  const listening = await listenHere((request, response) => void serve(request, response));
  const baseUrl = `http://localhost:${listening.port}/prod/connect`;
  const flow = await startFlow({ ...options, baseUrl });
  serve = async (incoming, outgoing) => {
    const body = await bodyOf(incoming);
    const { method = 'GET', headers, url = '/' } = incoming;
    const request = new Request(`https://connect.invalid${url.replace(/^\/prod/, '')}`, {
      method,
      headers: { cookie: headers.cookie ?? '', 'content-type': headers['content-type'] ?? '' },
      ...(body !== '' && { body }),
    });
    const response = await flow.app.fetch(request);
    const cookies = response.headers.getSetCookie();
    outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), 'set-cookie': cookies });
    outgoing.end(await response.text());
  };
  return {
    ...flow,
    baseUrl,
    async close() {
      await Promise.all([flow.close(), listening.close()]);
    },
  };
}

export type ServedFlow = Awaited<ReturnType<typeof startServedFlow>>;
