import { CHECKSUMS_OF_GO, urlsIn, USUAL_HOSTS, type PackageSources } from '#contract/packages.ts';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import { confinedTask, grantRunTask, type TaskPlatform } from './confined-task.ts';
import type { Content } from './content.ts';
import type { EntryFunction } from './entry-function.ts';
import { PackageNetwork } from './package-network.ts';
import { registryHosts, type SandboxImage, sandboxImageUri } from './sandbox-image.ts';

export interface PackageBuildProps {
  readonly platform: TaskPlatform;
  readonly content: Content;
  readonly image: SandboxImage;
  readonly sources: PackageSources;
  /** Hosts beside those of the sources. */
  readonly hosts: readonly string[];
  /** CPU units: 1024 are one vCPU. */
  readonly cpu: number;
  readonly memoryMb: number;
}

const CONTAINER = 'packages';

/**
 * The Fargate task that installs an environment's packages and ends. It runs the install scripts of packages, so it is
 * as confined as a sandbox. It reaches the internet, so it holds no secret but one URL, with which it reads its order.
 * The order has two more URLs: one for the archive, one for the reason why there is none.
 */
export class PackageBuild extends Construct {
  readonly #props: PackageBuildProps;
  readonly #network: PackageNetwork;
  readonly #definition: CfnTaskDefinition;

  constructor(scope: Construct, id: string, props: PackageBuildProps) {
    super(scope, id);
    this.#props = props;
    const { platform, content, image, sources, cpu, memoryMb } = props;
    this.#network = new PackageNetwork(this, 'Network', {
      ports: portsOf(sources),
      hosts: [...new Set([...hostsOf(sources), ...registryHosts(image), ...props.hosts])],
      bucketName: content.bucket.bucketName,
    });
    const uri = sandboxImageUri(this, { image, stage: 'packages', puller: platform.executionRole });
    const command = ['node', '/opt/brainstem/build-packages.mjs'];
    this.#definition = confinedTask(this, platform, {
      cpu,
      memoryMb,
      container: { name: CONTAINER, image: uri, command },
      runsAs: 'agent',
    });
  }

  /** For starting builds and signing their URLs. The right to run sandboxes includes watching tasks of this cluster. */
  grantRun(launcher: EntryFunction): void {
    const { platform, content, image, sources } = this.#props;
    launcher.receive({
      PACKAGES_TASK_DEFINITION: this.#definition.ref,
      PACKAGES_CONTAINER: CONTAINER,
      PACKAGES_SUBNETS: this.#network.subnetIds.join(','),
      PACKAGES_SECURITY_GROUP: this.#network.groupId,
      PACKAGES_SYSTEM: systemOf(image),
      PACKAGES_SOURCES: JSON.stringify(sources),
    });
    grantRunTask(launcher, platform, this.#definition);
    content.grantPackages(launcher);
  }
}

/** The system that packages are built for: a given image, or the Dockerfile of a built one without our programs. */
function systemOf(image: SandboxImage): string {
  if ('uri' in image) return image.uri;
  return createHash('sha256')
    .update(readFileSync(join(image.dir, 'Dockerfile')))
    .digest('hex');
}

/** The ports that the URLs of sources name. */
function portsOf(sources: PackageSources): readonly number[] {
  return urlsIn(sources)
    .map(({ port }) => Number(port))
    .filter((port) => port > 0);
}

function hostsOf(sources: PackageSources): readonly string[] {
  const used = Object.entries(USUAL_HOSTS).flatMap(([name, usual]) => {
    const own = sources[name as keyof PackageSources];
    return own === undefined ? usual : urlsIn(own).map(({ hostname }) => hostname);
  });
  return [...used, CHECKSUMS_OF_GO];
}
