/**
 * The packages of an environment, from the order to the sandbox. A build fetches its `PackageOrder` from
 * the URL in its environment variables, installs everything below one folder, and puts that folder as a `.tar.gz` to
 * `archiveUrl`; when it cannot, it puts a `PackageFailure` to `failureUrl`.
 */
import * as z from 'zod';

/** In the API's order of installation: a later manager finds what an earlier one installed. */
export const PACKAGE_MANAGERS = ['apt', 'cargo', 'gem', 'go', 'npm', 'pip'] as const;
export const PackageManager = z.enum(PACKAGE_MANAGERS);
export type PackageManager = z.infer<typeof PackageManager>;

/** The packages' folder in the build and in every sandbox. It is one, because installed programs store its path. */
export const PACKAGES_DIR = '/opt/packages';

/** Size of an archive. A sandbox refuses a larger one, and a build does not send it. */
export const MAX_ARCHIVE_BYTES = 2_000_000_000;

/** Lower-case hex SHA-256 of what is installed and from where: the name of an archive. */
export const ArchiveHash = z.string().regex(/^[0-9a-f]{64}$/);

const Names = z.array(z.string());
export const PackageList = z.object({ apt: Names, cargo: Names, gem: Names, go: Names, npm: Names, pip: Names });
export type PackageList = z.infer<typeof PackageList>;

/** Sources are written into the template and into orders, and each reader of those would find a password. */
const isWithoutPassword = (text: string) => !/:\/\/[^/\s]*@/.test(text);
const WITH_PASSWORD = 'must hold no user and no password, because the template shows it';

const SourceUrl = z.url().refine(isWithoutPassword, WITH_PASSWORD);
const SourceText = z.string().refine(isWithoutPassword, WITH_PASSWORD);

/** Where packages come from. A manager without an entry uses its own default source. */
export const PackageSources = z.strictObject({
  aptSources: z.array(SourceText).optional().describe('Lines of a `sources.list`.'),
  cargoIndex: SourceUrl.optional().describe('A sparse index, without `sparse+`.'),
  gemSource: SourceUrl.optional().describe('A gem server.'),
  goProxy: SourceText.optional().describe('A value of `GOPROXY`.'),
  npmRegistry: SourceUrl.optional().describe('A registry of npm packages.'),
  pipIndexUrl: SourceUrl.optional().describe('An index of Python packages.'),
});
export type PackageSources = z.infer<typeof PackageSources>;

/** Where each package manager goes when no source is set, as of July 2026. */
export const USUAL_HOSTS: Readonly<Record<keyof PackageSources, readonly string[]>> = {
  aptSources: ['deb.debian.org', 'security.debian.org'],
  cargoIndex: ['crates.io', 'index.crates.io', 'static.crates.io'],
  gemSource: ['rubygems.org', 'index.rubygems.org'],
  // The proxy of Go sends large modules from this storage.
  goProxy: ['proxy.golang.org', 'storage.googleapis.com'],
  // npm compiles against the headers of Node.js.
  npmRegistry: ['registry.npmjs.org', 'nodejs.org'],
  pipIndexUrl: ['pypi.org', 'files.pythonhosted.org'],
};
/** `go` compares checksums with those of this server, whichever proxy it uses. */
export const CHECKSUMS_OF_GO = 'sum.golang.org';

export function urlsIn(sources: unknown): readonly URL[] {
  const addresses = JSON.stringify(sources).match(/https?:\/\/[^\s"\\,|]+/g) ?? [];
  return addresses.flatMap((address) => URL.parse(address) ?? []);
}

export const PackageOrder = z.object({
  /** Counts the builds of one archive from 1. */
  attempt: z.int().min(1),
  packages: PackageList,
  sources: PackageSources,
  archiveUrl: z.url(),
  failureUrl: z.url(),
});
export type PackageOrder = z.infer<typeof PackageOrder>;

export const MAX_FAILURE_CHARS = 4000;

/** Why there is no archive: the manager that failed, or null for the build as a whole, and what it said last. */
export const PackageFailure = z.object({
  attempt: z.int().min(1),
  manager: PackageManager.nullable(),
  message: z.string().max(MAX_FAILURE_CHARS),
});
export type PackageFailure = z.infer<typeof PackageFailure>;

/** Environment variables of a build's container. The URL admits to one object and for some minutes, and ends with the build. */
export const BuildVariables = z.object({
  PACKAGES_ORDER_URL: z.url(),
  PACKAGES_DIR: z.string().default(PACKAGES_DIR),
});
