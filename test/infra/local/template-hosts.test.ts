import { expect, test } from 'vitest';
import { readTemplate } from '../../../infra/local/template/read-template.ts';
import { appAssembly } from '../synthesized.ts';

test('the template tells for which hosts the resolver of a subnet answers, by the way out of the subnet', () => {
  const { subnets } = readTemplate(appAssembly(), { ModelBaseUrl: 'http://127.0.0.1:1' });
  // The resolver of the egress proxy's VPC answers for all.
  for (const { wayOut, hosts } of subnets.filter((subnet) => subnet.hosts !== null)) {
    expect(hosts).toContain('api.ecr.us-east-1.amazonaws.com');
    expect(hosts?.includes('registry.npmjs.org')).toBe(wayOut === 'gateway');
    expect(hosts).not.toContain('*');
  }
  expect(subnets.map(({ wayOut }) => wayOut)).toContain('gateway');
});
