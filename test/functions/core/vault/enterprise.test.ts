import { describe, expect, it } from 'vitest';
import { enterpriseOf, managedServer } from '#core/vault/enterprise.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

const server = (url: string) => {
  return { url, resource: url, issuer: 'https://as.example.com', clientId: 'known', clientSecretArn: null, scopes: [] };
};
const enterprise = enterpriseOf({
  login: { issuer: 'https://login.example.com', clientId: 'brainstem', clientSecretArn: null, userClaim: 'sub' },
  servers: [
    'https://MCP.example.com:443/Team/mcp/',
    'https://mcp.example.com/team/mcp/files',
    'https://all.example.com',
  ].map(server),
});
const resourceAt = (url: string) => managedServer(enterprise, canonicalServerUrl(url) ?? '')?.resource ?? null;

describe('a server that the organisation manages', () => {
  it.each([
    'https://mcp.example.com/Team/mcp',
    'https://mcp.example.com./Team/mcp',
    'https://mcp.example.com/team/MCP',
    'https://mcp.example.com/Team/mcp?profile=mine',
    'https://mcp.example.com//Team///mcp',
    'https://mcp.example.com/Team/%6Dcp',
    'https://mcp.example.com/Team%2Fmcp',
    'https://mcp.example.com/x/..%2FTeam/./mcp',
    'https://mcp.example.com/Team;a=b/mcp;c',
    'https://mcp.example.com/Team/mcp/mine',
    'https://mcp.example.com/Team/mcp/%',
    'http://mcp.example.com/Team/mcp',
  ])('is also meant by the URL %s', (url) => {
    expect(resourceAt(url)).toBe('https://MCP.example.com:443/Team/mcp/');
  });

  it('is the one with the longest matching path, and covers a whole host when it names no path', () => {
    expect(resourceAt('https://mcp.example.com/team/mcp/FILES/7')).toBe('https://mcp.example.com/team/mcp/files');
    expect(resourceAt('https://all.example.com/any?x')).toBe('https://all.example.com');
  });

  it.each([
    'https://mcp.example.com/Team',
    'https://mcp.example.com/Team/mcp2',
    'https://mcp.example.com/Team/mcp/../other',
    'https://mcp.example.com:8443/Team/mcp',
    'https://a.mcp.example.com/Team/mcp',
    'https://other.example.com/Team/mcp',
  ])('is not meant by the URL %s', (url) => {
    expect(resourceAt(url)).toBeNull();
  });
});
