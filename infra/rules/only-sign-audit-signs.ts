import { compliantIf, type Rule } from './rule.ts';
import {
  allowed,
  allows,
  holdersOf,
  mentions,
  type PolicyStatement,
  settingOf,
  target,
  type Template,
} from './template.ts';

/** The first of each is the signer's own. With the others, a function could let others sign, or take kept heads away. */
const SIGNING = ['kms:Sign', 'kms:CreateGrant', 'kms:PutKeyPolicy'];
const REPLACING = [
  ...['s3:PutObject', 's3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
  ...['s3:PutObjectRetention', 's3:PutBucketObjectLockConfiguration', 's3:PutLifecycleConfiguration'],
];

export const onlySignAuditSigns: Rule = {
  id: 'only-sign-audit-signs',
  reason: 'A function that writes audit records and signs them, or replaces what was signed, can forge the trail.',
  judge(resource, template) {
    const about = allowed(resource).filter((one) => signs(one, template) || replaces(one, template));
    if (about.length === 0 || resource.Type === 'AWS::EC2::VPCEndpoint') return 'not-applicable';
    const holders = holdersOf(resource, template);
    const isSigner = holders.length > 0 && holders.every((entry) => entry === 'sign-audit');
    const foreign = [...SIGNING.slice(1), ...REPLACING.slice(1)];
    const signsOnly = about.every((one) => foreign.every((action) => !allows(one, action)));
    return compliantIf(isSigner && signsOnly);
  },
};

function signs(statement: PolicyStatement, template: Template): boolean {
  return SIGNING.some((action) => allows(statement, action)) && reaches(statement, template, 'AUDIT_KEY_ARN');
}

function replaces(statement: PolicyStatement, template: Template): boolean {
  return REPLACING.some((action) => allows(statement, action)) && reaches(statement, template, 'AUDIT_HEADS_BUCKET');
}

/** A resource without a reference into this template could be any. */
function reaches({ Resource }: PolicyStatement, template: Template, name: string): boolean {
  const own = target(settingOf(template, 'sign-audit', name));
  return Resource.some((one) => {
    const named = mentions(one).filter((id) => id in template.Resources);
    return own !== undefined && named.includes(own) ? true : named.length === 0 && JSON.stringify(one).includes('*');
  });
}
