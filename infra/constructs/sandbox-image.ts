import { Stack } from 'aws-cdk-lib';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import type { Role } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { acknowledgePattern } from './finding.ts';

/** A folder with a Dockerfile, or the address of an image that exists already. */
export type SandboxImage = { readonly dir: string } | { readonly uri: string };

/** A stage of the Dockerfile. */
export type ImageStage = 'sandbox' | 'packages' | 'egress';

export interface ImagePull {
  readonly image: SandboxImage;
  /** The stage to build from a folder; an image that exists already is used as it is. */
  readonly stage: ImageStage;
  readonly puller: Role;
}

/** The image's address, and the right to pull it. Only ECR can be reached from the isolated subnets. */
export function sandboxImageUri(scope: Construct, { image, stage, puller }: ImagePull): string {
  if ('uri' in image && !ECR.test(image.uri)) return image.uri;
  acknowledgePattern(
    puller,
    '*',
    'ecr:GetAuthorizationToken has no resource to name. The rule any-resource-has-a-reason bounds these actions.',
  );
  if ('uri' in image) {
    repositoryOf(scope, image.uri).grantPull(puller);
    return image.uri;
  }
  const asset = new DockerImageAsset(scope, 'Image', {
    directory: image.dir,
    platform: Platform.LINUX_ARM64,
    target: stage,
  });
  asset.repository.grantPull(puller);
  return asset.imageUri;
}

const ECR = /^(?<account>\d{12})\.dkr\.ecr\.(?<region>[a-z0-9-]+)\.[a-z.]+\/(?<name>[^:@]+)/;

function repositoryOf(scope: Construct, uri: string) {
  const { account = '', region = '', name: repositoryName = '' } = ECR.exec(uri)?.groups ?? {};
  const place = { service: 'ecr', region, account, resource: 'repository', resourceName: repositoryName };
  const repositoryArn = Stack.of(scope).formatArn(place);
  return Repository.fromRepositoryAttributes(scope, 'Repository', { repositoryArn, repositoryName });
}

/** The host that an image outside ECR is pulled from. */
export function registryHosts(image: SandboxImage): readonly string[] {
  if (!('uri' in image) || ECR.test(image.uri)) return [];
  const [first = '', ...rest] = image.uri.split('/');
  // Without a host, an image is in Docker Hub.
  if (rest.length === 0 || !/[.:]/.test(first)) return ['registry-1.docker.io', 'auth.docker.io'];
  return [first.replace(/:\d+$/, '')];
}
