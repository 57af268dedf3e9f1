import type { Access } from '../aws/service.ts';
import type { RolePart, Statement } from '../template/parts.ts';
import { ACCOUNT, REGION } from '../template/identities.ts';
import { candidates, decide, type Verdict } from './evaluate.ts';

/** Judges accesses by role. A role that the template lacks may do nothing. */
export interface Verdicts {
  judge(roleArn: string, access: Access): Verdict;
}

interface Known {
  readonly chosen: readonly Statement[];
  /** Set when no condition takes part, so that the verdict holds for every call. */
  readonly verdict: Verdict | null;
}

/**
 * Keys that every call in AWS carries, with the values it has there: a call of the deployed function goes over TLS even
 * though the same call on this machine does not.
 */
function globalContext(roleArn: string): Access['context'] {
  return {
    'aws:SecureTransport': ['true'],
    'aws:RequestedRegion': [REGION],
    'aws:PrincipalArn': [roleArn],
    'aws:PrincipalAccount': [ACCOUNT],
    'aws:ResourceAccount': [ACCOUNT],
    'aws:PrincipalIsAWSService': ['false'],
  };
}

/** Each object of a bucket has an ARN of its own, so a full cache is emptied instead of growing without end. */
const MAX_CACHED = 10_000;

export function createVerdicts(roles: readonly RolePart[]): Verdicts {
  const statements = new Map(roles.map((role) => [role.arn, role.statements]));
  const cache = new Map<string, Known>();
  const know = (roleArn: string, access: Access): Known => {
    const key = `${roleArn} ${access.action} ${access.resource}`;
    const cached = cache.get(key);
    if (cached !== undefined) return cached;
    const chosen = candidates(statements.get(roleArn) ?? [], access);
    const conditional = chosen.some((one) => Object.keys(one.conditions).length > 0);
    const known: Known = { chosen, verdict: conditional ? null : decide(chosen, access) };
    if (cache.size >= MAX_CACHED) cache.clear();
    cache.set(key, known);
    return known;
  };
  return {
    judge: (roleArn, access) => {
      const { verdict, chosen } = know(roleArn, access);
      if (verdict !== null) return verdict;
      return decide(chosen, { ...access, context: { ...globalContext(roleArn), ...access.context } });
    },
  };
}
