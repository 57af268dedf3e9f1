import { describe, expect, test } from 'vitest';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

describe('the canonical URL of a server', () => {
  test.each([
    ['HTTPS://MCP.EXAMPLE.COM:443/mcp', 'https://mcp.example.com/mcp'],
    ['https://mcp.example.com/mcp/', 'https://mcp.example.com/mcp'],
    ['https://mcp.example.com', 'https://mcp.example.com'],
    ['https://mcp.example.com./mcp', 'https://mcp.example.com/mcp'],
    ['https://mcp.example.com:8443/mcp#top', 'https://mcp.example.com:8443/mcp'],
    ['https://mcp.example.com/MCP?team=a', 'https://mcp.example.com/MCP?team=a'],
    ['http://127.0.0.1:80/', 'http://127.0.0.1'],
  ])('%s is %s', (text, canonical) => {
    expect(canonicalServerUrl(text)).toBe(canonical);
  });

  test.each(['ftp://example.com', 'https://user:pass@example.com', 'example.com', ''])('%s is not accepted', (text) => {
    expect(canonicalServerUrl(text)).toBeNull();
  });
});
