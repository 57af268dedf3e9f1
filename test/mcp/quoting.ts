/** A tool that quotes the token of its request in every part of an answer that has text of the server. */
import { inputRequired, type CallToolResult, type InputRequiredResult } from '@modelcontextprotocol/server';
import type { FxTool } from '#test/mcp/fx-tools.ts';
import type { FxRequest, Intercept } from '#test/mcp/fx.ts';

/** Each of these ends the call. */
export const QUOTED_IN = [
  ...['text', 'error', 'thrown', 'halves', 'base64', 'url', 'json', 'structure', 'image', 'uri', 'media type', 'link'],
  ...['status 500', 'status 400', 'redirect', 'scope', 'challenge', 'page', 'protocol error'],
] as const;

export const QUOTING_TOOL: FxTool = {
  name: 'quote',
  description: 'Quotes what it is called with',
  inputSchema: { type: 'object', properties: { in: { type: 'string' } }, required: ['in'] },
  run: ({ args, headers }) => quoted(String(args['in']), tokenOf(headers)),
};

const text = (said: string): CallToolResult => ({ content: [{ type: 'text', text: said }] });

function quoted(where: string, token: string): CallToolResult | InputRequiredResult {
  switch (where) {
    case 'error':
      return { ...text(`what is ${token}?`), isError: true };
    case 'thrown':
      throw new Error(`cannot use ${token}`);
    case 'halves':
      return {
        content: [token.slice(0, token.length / 2), token.slice(token.length / 2)].flatMap((h) => text(h).content),
      };
    case 'base64':
      return text(`Basic ${Buffer.from(`me:${token}`).toString('base64')}`);
    case 'url':
      return text(`https://here.example/?bearer=${encodeURIComponent(`Bearer ${token}`)}`);
    case 'json':
      return text(JSON.stringify(JSON.stringify({ token })));
    case 'structure':
      return { content: [], structuredContent: { token } };
    case 'image':
      return {
        content: [{ type: 'image', mimeType: 'image/gif', data: Buffer.from(`GIF89a${token}`).toString('base64') }],
      };
    case 'uri':
      return { content: [{ type: 'resource', resource: { uri: `file:///${token}`, text: token } }] };
    case 'media type':
      return {
        content: [{ type: 'resource', resource: { uri: 'file:///x', mimeType: `text/${token}`, blob: 'AAAA' } }],
      };
    case 'link':
      return { content: [{ type: 'resource_link', uri: `https://here.example/${token}`, name: token }] };
    case 'large text':
      return text(`${'x'.repeat(400_000)} ${token}`);
    case 'elicitation':
    case 'state':
      return asking(where, token);
    default:
      return text(`You said ${where} with ${token}.`);
  }
}

function asking(where: 'elicitation' | 'state', token: string): InputRequiredResult {
  const words = where === 'state' ? 'you' : token;
  const url = `https://pay.example.com/${words}?for=${words}`;
  // A text that is cut in the middle of the token.
  const message = `${'x'.repeat(480)}${words} pays`;
  const requestState = where === 'state' ? `for ${token}` : 'none';
  return inputRequired({ inputRequests: { pay: inputRequired.elicitUrl({ url, message }) }, requestState });
}

/** The places below MCP: HTTP headers and bodies. */
export const quoteInHttp: Intercept = ({ rpc, headers }) => {
  const args = rpc?.params?.['arguments'] as Readonly<Record<string, unknown>> | undefined;
  if (rpc?.method !== 'tools/call' || args === undefined) return undefined;
  const token = tokenOf(headers);
  const challenge = (said: string) => ({ headers: { 'www-authenticate': `Bearer ${said}` } });
  switch (args['in']) {
    case 'status 500':
      return new Response(`cannot use ${token}`, { status: 500, statusText: 'Broken' });
    case 'status 400':
      return Response.json({ error: token }, { status: 400 });
    case 'redirect':
      return new Response(token, {
        status: 307,
        headers: { location: `https://${token}.example.net/${token}?${token}` },
      });
    case 'scope':
      return new Response(token, {
        status: 403,
        ...challenge(`error="insufficient_scope", scope="files:read ${token}"`),
      });
    case 'challenge': {
      const metadata = `https://here.example/${token}`;
      const said = `error="insufficient_scope", scope="a", error_description="${token}", resource_metadata="${metadata}"`;
      return new Response(token, { status: 403, ...challenge(said) });
    }
    case 'page':
      return new Response(`<html>${token}</html>`, { headers: { 'content-type': 'text/html' } });
    case 'protocol error': {
      const error = { code: -32000, message: token, data: { token } };
      return Response.json({ jsonrpc: '2.0', id: rpc.id, error });
    }
    default:
      return undefined;
  }
};

function tokenOf(headers: FxRequest['headers']): string {
  return headers['authorization']?.replace(/^Bearer /, '') ?? '';
}
