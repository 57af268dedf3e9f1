/** How a git host takes a token. */
import * as z from 'zod';
import { HostName } from './outbound.ts';

/**
 * `github`: Basic, as the user `x-access-token`. `gitlab`: Basic, as the user `oauth2`. `private-token`: the header
 * `PRIVATE-TOKEN`. `bearer`: `Authorization: Bearer`. `basic`: the token is `user:password`, as CodeCommit and others
 * give it.
 */
export const TokenForm = z.enum(['github', 'gitlab', 'private-token', 'bearer', 'basic']);
export type TokenForm = z.infer<typeof TokenForm>;

/** The hosts, besides github.com, whose repositories a session may have. */
export const GitHosts = z.record(HostName, TokenForm).refine((hosts) => Object.keys(hosts).length <= 64, {
  message: 'must have at most 64 hosts',
});
export type GitHosts = z.infer<typeof GitHosts>;
