/**
 * The authority that the programs of sandboxes trust: it signs a certificate for each host of which the proxy opens the
 * TLS. Its keys are made when the proxy starts, and they are in its memory only.
 */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';

interface Authority {
  /** In PEM. */
  readonly certificate: string;
  /** The certificate and key with which the proxy takes the place of this host. */
  contextFor(host: string): SecureContext;
}

const DAY_MS = 86_400_000;
/** Longer than any task lives. */
const AUTHORITY_DAYS = 1825;
const HOST_DAYS = 90;
/** A certificate is made anew long before it ends. */
const KEEP_MS = 30 * DAY_MS;
const MAX_KEPT = 1000;
/** A sandbox's clock may be behind. */
const BACKDATED_MS = DAY_MS;

const COMMON_NAME = '2.5.4.3';
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

export function createAuthority(maxKept = MAX_KEPT): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const hostKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = String(hostKeys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  // Two proxies must not have one name: a program that trusts both would choose the certificate by it.
  const issuer = nameOf(`Brainstem egress proxy ${randomBytes(8).toString('hex')}`);
  const keyId = keyIdOf(keys.publicKey);
  const signed = (profile: Profile) => certificate({ ...profile, issuer, authorityKeyId: keyId, key: keys.privateKey });
  const kept = new Map<string, { readonly context: SecureContext; readonly until: number }>();

  function make(host: string): SecureContext {
    const subject = nameOf('opened by the egress proxy');
    const cert = signed({
      subject,
      publicKey: hostKeys.publicKey,
      days: HOST_DAYS,
      extensions: extensionsOfHost(host),
    });
    return createSecureContext({ key, cert, minVersion: 'TLSv1.2' });
  }

  return {
    certificate: signed({
      subject: issuer,
      publicKey: keys.publicKey,
      days: AUTHORITY_DAYS,
      extensions: EXTENSIONS_OF_AUTHORITY,
    }),
    contextFor(host) {
      const found = kept.get(host);
      if (found !== undefined && found.until > Date.now()) return found.context;
      const [oldest] = kept.keys();
      if (kept.size >= maxKept && oldest !== undefined) kept.delete(oldest);
      const context = make(host);
      kept.set(host, { context, until: Date.now() + KEEP_MS });
      return context;
    },
  };
}

interface Profile {
  readonly subject: Name;
  readonly publicKey: KeyObject;
  readonly days: number;
  readonly extensions: readonly Extension[];
}

interface Signing extends Profile {
  readonly issuer: Name;
  readonly authorityKeyId: Buffer;
  readonly key: KeyObject;
}

function certificate({ subject, publicKey, days, extensions, issuer, authorityKeyId, key }: Signing): string {
  const now = Date.now();
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: algorithm,
    issuer,
    validity: new Validity({ notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(now + days * DAY_MS) }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(publicKey.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo),
    // Python from 3.13 on refuses a certificate without the identifiers of the keys.
    extensions: new Extensions([
      ...extensions,
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdOf(publicKey))),
      extension(
        id_ce_authorityKeyIdentifier,
        new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(authorityKeyId) }),
      ),
    ]),
  });
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), key);
  const der = AsnConvert.serialize(
    new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue: bytesOf(signature) }),
  );
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const EXTENSIONS_OF_AUTHORITY: readonly Extension[] = [
  critical(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 })),
  critical(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)),
];

function extensionsOfHost(host: string): readonly Extension[] {
  const name = isIP(host) === 0 ? { dNSName: host } : { iPAddress: host };
  return [
    critical(id_ce_basicConstraints, new BasicConstraints({ cA: false })),
    critical(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature)),
    extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
    extension(id_ce_subjectAltName, new SubjectAlternativeName([new GeneralName(name)])),
  ];
}

function extension(extnID: string, value: object): Extension {
  return new Extension({ extnID, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function critical(extnID: string, value: object): Extension {
  return Object.assign(extension(extnID, value), { critical: true });
}

function nameOf(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

/** RFC 5280: positive, and at most 20 bytes. */
function serialNumber(): ArrayBuffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytesOf(bytes);
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

/** The library takes no views of other memory. */
function bytesOf(buffer: Buffer): ArrayBuffer {
  return Uint8Array.from(buffer).buffer;
}
