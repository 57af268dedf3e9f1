/** The relay of a sandbox, and the variables with which its programs find it and trust the egress proxy's authority. */
import type { WayOut } from '../functions/contract/hands.ts';
import { createBundle, type Bundle } from './certificate.ts';
import { javaOptions } from './java.ts';
import type { Log } from './log.ts';
import { createRelay, type Relay, type RelayOptions } from './relay.ts';

interface SandboxWayOut {
  readonly relay: Relay;
  /** None while the session reaches nothing. */
  variables(): Readonly<Record<string, string>>;
}

interface WayOutOptions extends Omit<RelayOptions, 'trust'> {
  readonly mnt: string;
  readonly log: Log;
}

export function wayOutOf({ mnt, log, ...at }: WayOutOptions): SandboxWayOut {
  let bundle: Bundle | null = null;
  let known: WayOut | null = null;
  const relay = createRelay({
    ...at,
    trust(certificate) {
      bundle?.write(certificate);
      log('INFO', 'way out', { trusted: bundle !== null });
    },
  });
  return {
    relay: {
      ...relay,
      async use(wayOut, asker) {
        known = wayOut;
        bundle ??= bundleAt(mnt, log);
        await relay.use(wayOut, asker);
      },
    },
    variables() {
      const url = relay.url();
      if (known === null || url === null) return {};
      return {
        ...known.variables,
        ...proxyVariables(url),
        ...(bundle && trustVariables(bundle.path)),
        JAVA_TOOL_OPTIONS: javaOptions(url, bundle?.keyStore ?? null),
      };
    },
  };
}

/** Without it, programs trust public authorities as they usually do. */
function bundleAt(mnt: string, log: Log): Bundle | null {
  const bundle = createBundle(mnt);
  try {
    bundle.write('');
    return bundle;
  } catch (error) {
    log('ERROR', 'way out', { error: error instanceof Error ? error.name : typeof error });
    return null;
  }
}

/** In both spellings, because programs differ in which one they read. */
function proxyVariables(url: string): Readonly<Record<string, string>> {
  const [proxied, direct] = [['HTTP_PROXY', 'HTTPS_PROXY'], 'localhost,127.0.0.1,::1'];
  const named = [...proxied.map((name) => [name, url]), ['NO_PROXY', direct]] as const;
  const both = named.flatMap(([name = '', value = '']) => [
    [name, value],
    [name.toLowerCase(), value],
  ]);
  return { ...Object.fromEntries(both), NODE_USE_ENV_PROXY: '1' };
}

/** OpenSSL, curl, Python, Node.js, git, cargo and the AWS CLI each have a variable of their own. */
function trustVariables(bundle: string): Readonly<Record<string, string>> {
  const names = [
    ...['SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT', 'NODE_EXTRA_CA_CERTS'],
    ...['GIT_SSL_CAINFO', 'CARGO_HTTP_CAINFO', 'AWS_CA_BUNDLE', 'DENO_CERT'],
  ];
  return Object.fromEntries(names.map((name) => [name, bundle]));
}
