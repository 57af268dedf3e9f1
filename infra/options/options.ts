import { REACHES } from '#contract/egress.ts';
import { GitHosts } from '#contract/git-hosts.ts';
import { AllowedHosts, HostName } from '#contract/outbound.ts';
import { PackageSources } from '#contract/packages.ts';
import { OAuthTokens } from '#contract/secret-stores.ts';
import * as z from 'zod';
import { ConnectOptions } from './connect-options.ts';
import { group, textOf } from './group.ts';
import { ModelOptions } from './model-options.ts';

/** From one a minute to a token per 60 microseconds, above which a limit cannot be told from none. */
const RATE = 'must be an integer from 1 to 1000000';
const PerMinute = z.int(RATE).min(1, RATE).max(1_000_000, RATE).optional();

const FargateCpu = z.literal([256, 512, 1024, 2048, 4096, 8192, 16_384]);
const FargateMemory = z.int().min(512).max(122_880);

const FunctionArn = textOf(/^arn:[^:]+:lambda:[^:]+:\d{12}:function:\S+$/, 'must be the ARN of a function').optional();

/** The periods that CloudWatch Logs offers. */
const RetentionDays = z.literal([
  ...([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827] as const),
  ...([2192, 2557, 2922, 3288, 3653] as const),
]);

/** Everything that a deployment can set: the properties of the construct, and the names of the context of the app. */
export const Options = group({
  model: ModelOptions.prefault({ provider: 'anthropic' }).describe(
    'The provider that serves the model ([models](models.md)).',
  ),
  removalPolicy: z
    .enum(['retain', 'destroy'])
    .default('retain')
    .describe(
      'What becomes of tables, content, secrets and logs that leave the stack. What is retained goes on to cost its storage. A ' +
        'bucket that is to be destroyed has to be emptied first.',
    ),
  logRetentionDays: RetentionDays.default(30).describe(
    'How many days log groups keep their lines. CloudWatch takes $0.03 for each GB and month.',
  ),
  maxOpenStreams: z
    .union([z.int().min(1), z.literal('account')])
    .default(300)
    .describe(
      'How many event streams may be open at once; the gateway refuses more with 429. Each open stream is a busy Lambda ' +
        "instance, so this concurrency is set aside for streams, and turns keep the rest of the account's " +
        '([quotas](quotas.md)). A deployment fails when less than 100 would be left. `account` sets nothing aside: then open ' +
        'streams can stop all turns.',
    ),
  idleStreamSeconds: z
    .int()
    .min(3)
    .max(840)
    .default(300)
    .describe(
      'A stream ends after so long without an event while its session is idle, because Lambda does not tell when a client has ' +
        'left. A stream of a session at work ends after 14 minutes.',
    ),
  throttle: group({
    requestsPerSecond: z.int().min(1).default(500).describe('Requests per second in the long run.'),
    burst: z.int().min(1).default(1000).describe('Requests at once.'),
  })
    .prefault({})
    .describe('Limits of the whole API.'),
  rateLimits: group({
    createsPerMinute: PerMinute.meta({ description: 'Requests that change something.', default: 'no limit' }),
    readsPerMinute: PerMinute.meta({
      description: 'All other requests, such as one that opens a stream.',
      default: 'no limit',
    }),
  })
    .prefault({})
    .describe(
      'What one API key may do in a minute, and at once. The hosted service has 300 creates and 1,200 reads. Each limit costs ' +
        'one write per key and instance about every five busy seconds.',
    ),
  oauthTokens: OAuthTokens.default('secrets-manager').describe(
    'Where the service keeps the access and refresh tokens of users ([vaults](vaults.md#where-secrets-are)); every other ' +
      'secret is in Secrets Manager. `secrets-manager` costs $0.40 a month for each credential (5,000 credentials: $2,000); one ' +
      'credential should be refreshed at most every ten minutes, and all of them together at most 50 times a second. ' +
      '`dynamodb-kms` seals each token under a KMS key of the construct and keeps it in the row of its credential: $1 a month ' +
      'for the key and about $0.03 for 2,000 refreshes, at any rate. A change moves no token: each moves when it is written ' +
      'next. The key leaves the stack with `dynamodb-kms`, so users whose tokens it seals connect again.',
  ),
  sandbox: group({
    imageUri: z
      .string()
      .min(1)
      .optional()
      .meta({
        description:
          'An image in an ECR repository of the same Region. With it and `network.imageUri`, a deployment needs no Docker. It needs the users, the ' +
          'folders and the volumes of `sandbox-task/Dockerfile`: without `/mnt/session/uploads`, `/mnt/session/outputs` and ' +
          '`/mnt/memory`, with their owners, tool results say that files are lacking.',
        default: 'built from `sandbox-task/`',
      }),
    cpu: FargateCpu.default(512).describe('CPU units of one sandbox: 1024 are one vCPU, $0.032 an hour.'),
    memoryMb: FargateMemory.default(1024).describe(
      'Memory of one sandbox, as Fargate offers it for these CPU units: 1024 cost $0.004 an hour.',
    ),
    idleMinutes: z
      .int()
      .min(2)
      .max(1440)
      .default(5)
      .describe(
        'A sandbox ends after so long without a call, with its files; the next call gets a new one. One whose programs wrote ' +
          'outputs or memory after the last call ends up to two minutes later, when these are stored. An idle sandbox costs ' +
          'as much as a busy one.',
      ),
    maxHours: z
      .int()
      .min(1)
      .max(336)
      .default(24)
      .describe('The sweep stops a sandbox that is older, even when it is in use. The model is told that it is gone.'),
  })
    .prefault({})
    .describe('The Fargate task in which the tools of a session run. It costs $0.01975 an hour while it is up.'),
  network: group({
    max: z
      .enum(REACHES)
      .default('unrestricted')
      .describe(
        'The most that any environment may open. With `limited`, an environment that is unrestricted reaches only what its other ' +
          'settings name. With `none`, no program of a sandbox reaches anything, and the deployment has no egress proxy.',
      ),
    warmProxies: z
      .int()
      .min(0)
      .max(10)
      .default(0)
      .describe(
        'Egress proxies that are up at any time. The first use of the network in a sandbox then does not wait for one, which ' +
          'takes 20 to 60 seconds. Each costs $10.86 a month.',
      ),
    idleMinutes: z
      .int()
      .min(1)
      .max(1440)
      .default(5)
      .describe('A proxy ends after so long without a connection. An idle proxy costs as much as a busy one.'),
    imageUri: z.string().min(1).optional().meta({
      description: 'An image of `egress-proxy/` in an ECR repository of the same Region.',
      default: 'built from `egress-proxy/`',
    }),
    gitHosts: GitHosts.default({}).meta({
      description:
        'Hosts, besides github.com, whose repositories a session may have, and how each takes a token: `github` and `gitlab` ' +
        '(basic authentication with the user `x-access-token` or `oauth2`), `private-token` (GitLab’s header), `bearer`, or ' +
        '`basic` where the token is `user:password`, as with CodeCommit. A private host is in `network.allow` too.',
    }),
    allow: AllowedHosts.default([]).describe('Private hosts that programs in sandboxes may reach through the proxy.'),
    extraCa: z
      .string()
      .max(16_384)
      .regex(/^-----BEGIN CERTIFICATE-----\n/, 'must be certificates in PEM')
      .optional()
      .meta({
        description:
          'Certificates in PEM of authorities of your own, which servers may present where the proxy opens TLS to put in a ' +
          'secret.',
        default: 'public authorities only',
      }),
  })
    .prefault({})
    .describe(
      'What programs in sandboxes reach. They have one way out, the egress proxy: a Fargate task of 0.25 vCPU that is up while ' +
        'programs use the network. It costs $0.0149 an hour ($0.0099 for the task, $0.005 for its public address), and nothing ' +
        'while no program uses the network. Data that leaves for the internet costs $0.09 for each GB, and $0.02 when proxy and ' +
        'sandbox are in different zones.',
    ),
  packages: group({
    ...PackageSources.shape,
    imageUri: z.string().min(1).optional().meta({
      description: 'An image with the package managers and compilers.',
      default: '`sandbox.imageUri`, else built from `sandbox-task/`',
    }),
    hosts: z
      .array(HostName)
      .max(64)
      .default([])
      .describe(
        'Further hosts that builds may reach, such as `github.com` for packages whose scripts download programs from there. ' +
          '`*.` is one label or more.',
      ),
    cpu: FargateCpu.default(1024).describe('CPU units of one build: 1024 are one vCPU, $0.032 an hour.'),
    memoryMb: FargateMemory.default(4096).describe(
      'Memory of one build, as Fargate offers it for these CPU units: 4096 cost $0.014 an hour.',
    ),
  })
    .prefault({})
    .describe(
      'The Fargate tasks that install the [packages](packages.md) of environments, and where packages come from. A source that ' +
        'is not set is the usual one of its package manager.',
    ),
  webFetch: group({
    allow: AllowedHosts.default([]).describe('Private hosts that `web_fetch` may reach.'),
  })
    .prefault({})
    .describe('The tool that reads the web. Its function is outside any VPC.'),
  mcp: group({
    allow: AllowedHosts.default([]).describe('Private hosts of MCP servers and of their authorization servers.'),
    callsPerMinute: PerMinute.meta({
      description:
        'Calls of one user to one server per minute, which may come at once. A limit costs one write per user, server and ' +
        'instance about every five busy seconds.',
      default: 'no limit',
    }),
    hooks: group({
      preFunctionArn: FunctionArn.meta({
        description: 'The function that is asked before each call that policy allows.',
        default: 'none',
      }),
      postFunctionArn: FunctionArn.meta({
        description: 'The function that is asked before the model sees a result.',
        default: 'none',
      }),
      failOpen: z
        .boolean()
        .default(false)
        .describe('Whether a call goes on when its hook does not answer within five seconds.'),
    })
      .prefault({})
      .describe(
        'Lambda functions of yours that can deny a call and change what is sent and shown ([policies](policies.md#hooks)). ' +
          'Each call then costs their invocations and waits for them.',
      ),
  })
    .prefault({})
    .describe('How agents reach MCP servers. The functions that call them are outside any VPC.'),
  connect: ConnectOptions.optional().describe(
    'Pages on which users let agents use MCP servers for them ([connecting users](connecting-users.md)). Without it there are ' +
      'no pages, and your program brings the tokens.',
  ),
});
export type Options = z.output<typeof Options>;
