/**
 * Whether a task may reach a host: first by the host and port alone, before the name is resolved, and then by the
 * addresses of the name. A refusal says which rule refused and what allows the host.
 */
import type { Granted } from '#contract/egress.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import { forbiddenKind, parseAddress, parseBlock, type Block } from '#core/outbound/address.ts';
import { covers, FIRST_FREE_PORT, ruleAgainstAddresses, ruleAgainstName } from '#core/outbound/destination.ts';
import { authorityOf, type Target } from '#core/egress/target.ts';

type EgressRule = 'port' | 'own_host' | 'not_public' | 'allowed_hosts' | 'network_max';

/** What holds for all tasks of a deployment. */
export interface Deployment {
  /** The customer's private hosts. This admits their addresses; the task's own reach must name them too. */
  readonly allow: AllowedHosts;
  /** Hosts at which the service itself answers: an agent that has learned a key of the API cannot use it there. */
  readonly ownHosts: readonly string[];
}

interface Refused {
  readonly status: 'refused';
  readonly rule: EgressRule;
  readonly sentence: string;
}

interface Allowed {
  readonly status: 'allowed';
  /** Blocks in which the customer allows this host, besides public addresses. */
  readonly admitted: readonly Block[];
  /** `repositories`: the caller reaches nothing of this host but the paths of its repositories. */
  readonly reaches: 'host' | 'repositories';
}

const WEB_PORTS: readonly number[] = [80, 443];

export function decide(granted: Granted, target: Target, { allow, ownHosts }: Deployment): Allowed | Refused {
  const { host, port, scheme } = target;
  if (port < FIRST_FREE_PORT && !WEB_PORTS.includes(port)) {
    return refused('port', `port ${port} is not reached: only 80, 443 and those from ${FIRST_FREE_PORT} on are`);
  }
  if (ownHosts.includes(host))
    return refused('own_host', `${named(host)} is this service itself, which no session reaches`);
  const entries = allow.filter((entry) => covers(entry.host, host) && (scheme === 'tunnel' || entry.http === true));
  const rule = entries.length > 0 ? null : ruleAgainstHost(host);
  if (rule !== null) return notPublic(host, rule);
  const admitted = entries.map(({ cidr }) => parseBlock(cidr));
  if (isReached(granted, host)) return { status: 'allowed', admitted, reaches: 'host' };
  if (isOrigin(granted, target)) return { status: 'allowed', admitted, reaches: 'repositories' };
  return notReached(granted, host);
}

/** Every address of the host must be allowed; null when all are. */
export function decideAddresses(
  host: string,
  { admitted }: Pick<Allowed, 'admitted'>,
  addresses: readonly string[],
): Refused | null {
  const rule = ruleAgainstAddresses({ admitted }, addresses);
  return rule === null ? null : notPublic(host, rule);
}

/** Whether the proxy must read the requests to this host, because it may add a secret to them. */
export function isOpened(granted: Granted, target: Target): boolean {
  const isReplaced = granted.substitutions.some(
    ({ hosts }) => hosts === null || hosts.some((pattern) => covers(pattern, target.host)),
  );
  return isReplaced || isOrigin(granted, target);
}

function isOrigin({ repositories }: Granted, target: Target): boolean {
  return (
    target.scheme === 'tunnel' && repositories.some(({ origin }) => origin === `https://${authorityOf(target, 443)}`)
  );
}

/** An address in the place of a name must be public. */
function ruleAgainstHost(host: string): string | null {
  const address = parseAddress(host);
  if (address === null) return ruleAgainstName(host);
  const kind = forbiddenKind(address);
  return kind === null ? null : `is ${kind}`;
}

function isReached({ reach }: Granted, host: string): boolean {
  switch (reach.type) {
    case 'none':
      return false;
    case 'limited':
      return reach.hosts.some((pattern) => covers(pattern, host));
    case 'unrestricted':
      return true;
    default:
      return reach satisfies never;
  }
}

function notPublic(host: string, rule: string): Refused {
  return refused(
    'not_public',
    `${named(host)} ${rule}; private hosts are reached only where network.allow of this deployment admits them`,
  );
}

function notReached({ reach }: Granted, host: string): Refused {
  if (reach.type === 'none') {
    return refused('network_max', `no session reaches a host, because network.max of this deployment is "none"`);
  }
  if (reach.type === 'limited' && reach.narrowedBy !== undefined) {
    return refused(
      'network_max',
      `${named(host)} is not reached: network.max of this deployment is "limited", so the environment must have ` +
        `networking of type "limited" with this host in allowed_hosts`,
    );
  }
  return refused(
    'allowed_hosts',
    `${named(host)} is not reached: add it to networking.allowed_hosts of the environment, which the next sandbox follows`,
  );
}

/** A name may be long, and is the agent's. */
const named = (host: string) => (host.length > 100 ? `${host.slice(0, 100)}...` : host);

function refused(rule: EgressRule, sentence: string): Refused {
  return { status: 'refused', rule, sentence };
}
