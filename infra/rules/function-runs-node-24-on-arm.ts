import { compliantIf, type Rule } from './rule.ts';
import { list, properties } from './template.ts';

export const functionRunsNode24OnArm: Rule = {
  id: 'function-runs-node-24-on-arm',
  reason: 'Bundles are made for Node 24 and tested on it; arm64 costs a fifth less.',
  judge(resource) {
    if (resource.Type !== 'AWS::Lambda::Function') return 'not-applicable';
    const { Runtime, Architectures } = properties(resource);
    return compliantIf(Runtime === 'nodejs24.x' && list(Architectures).join() === 'arm64');
  },
};
