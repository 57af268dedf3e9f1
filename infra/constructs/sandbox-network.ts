import { EGRESS_PORT } from '#contract/egress.ts';
import { SANDBOX_PORT } from '#contract/hands.ts';
import { Aws } from 'aws-cdk-lib';
import {
  CfnSecurityGroup,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  type ISecurityGroup,
  type IVpc,
  SecurityGroup,
  SubnetType,
  type VpcEndpoint,
} from 'aws-cdk-lib/aws-ec2';
import { AnyPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { awsName, DnsFirewall, FARGATE_NAMES } from './dns-firewall.ts';
import { CIDR, isolatedVpc } from './isolated-vpc.ts';
import { PUBLIC_CIDR } from './public-vpc.ts';
import type { Stores } from './stores.ts';

const HTTPS = 443;

interface SandboxNetworkProps extends Stores {
  /** Whether sandboxes may call the egress proxy. */
  readonly hasWayOut: boolean;
}

/**
 * The network in which sandboxes run and `execute` reaches them: isolated subnets, no NAT, no internet gateway. The one
 * route that leads out of it goes to the VPC of the egress proxy.
 *
 * A Fargate task pulls its image and sends its logs through its own network interface, so a sandbox must reach the
 * endpoints for that, and its security group cannot close port 443. Therefore no route leads to the internet, and the
 * policy of each endpoint admits only the calls that start a task or append to the log. A sandbox has no credentials
 * for these calls, and with smuggled credentials it still reaches no other account. The resolver answers for the names
 * of these endpoints and stores only, and each of them belongs to AWS.
 */
export class SandboxNetwork extends Construct {
  readonly vpc: IVpc;
  readonly subnets = { subnetType: SubnetType.PRIVATE_ISOLATED };
  /** The security group of the execute function. */
  readonly executeGroup: ISecurityGroup;
  /** The security group of every sandbox. */
  readonly sandboxGroup: ISecurityGroup;

  constructor(scope: Construct, id: string, props: SandboxNetworkProps) {
    super(scope, id);
    this.vpc = isolatedVpc(this);
    const { execute, sandbox, endpoints } = this.#securityGroups(props.hasWayOut);
    this.executeGroup = SecurityGroup.fromSecurityGroupId(this, 'Execute', execute, { mutable: false });
    this.sandboxGroup = SecurityGroup.fromSecurityGroupId(this, 'Sandbox', sandbox, { mutable: false });
    this.#gatewayEndpoints(props);
    const { bucketName } = props.content.bucket;
    // `execute` uses the tables and the bucket. The SDK may put the account into the name of DynamoDB.
    const stores = [awsName('dynamodb'), awsName(`${Aws.ACCOUNT_ID}.ddb`), awsName(`${bucketName}.s3`)];
    new DnsFirewall(this, 'Dns', { vpcId: this.vpc.vpcId, names: [...FARGATE_NAMES, ...stores] });
    this.#interfaceEndpoints(SecurityGroup.fromSecurityGroupId(this, 'Endpoints', endpoints, { mutable: false }));
  }

  /** CloudFormation resources keep the rules of a group inside it, where the design rules read them. */
  #securityGroups(hasWayOut: boolean): {
    readonly execute: string;
    readonly sandbox: string;
    readonly endpoints: string;
  } {
    const vpcId = this.vpc.vpcId;
    const execute = new CfnSecurityGroup(this, 'ExecuteGroup', {
      vpcId,
      groupDescription: 'The execute function: to sandboxes, and to DynamoDB and S3 through their endpoints',
      securityGroupEgress: [
        { ...tcp(SANDBOX_PORT), cidrIp: CIDR },
        { ...tcp(HTTPS), cidrIp: '0.0.0.0/0' },
      ],
    });
    const sandbox = new CfnSecurityGroup(this, 'SandboxGroup', {
      vpcId,
      groupDescription:
        'Sandboxes: called by the execute function alone; out only to endpoints and to the egress proxy',
      securityGroupIngress: [{ ...tcp(SANDBOX_PORT), sourceSecurityGroupId: execute.attrGroupId }],
      // S3 has no security group, and the name of its address list differs between Regions.
      securityGroupEgress: [
        { ...tcp(HTTPS), cidrIp: '0.0.0.0/0' },
        ...(hasWayOut ? [{ ...tcp(EGRESS_PORT), cidrIp: PUBLIC_CIDR }] : []),
      ],
    });
    const endpoints = new CfnSecurityGroup(this, 'EndpointsGroup', {
      vpcId,
      groupDescription: 'Endpoints through which Fargate starts a sandbox',
      securityGroupIngress: [{ ...tcp(HTTPS), sourceSecurityGroupId: sandbox.attrGroupId }],
      // CloudFormation reads an empty list as all traffic. This rule matches no traffic.
      securityGroupEgress: [{ ipProtocol: 'icmp', fromPort: 252, toPort: 86, cidrIp: '255.255.255.255/32' }],
    });
    return { execute: execute.attrGroupId, sandbox: sandbox.attrGroupId, endpoints: endpoints.attrGroupId };
  }

  #gatewayEndpoints({ log, records, content, memory }: Stores): void {
    const dynamoDb = this.vpc.addGatewayEndpoint('DynamoDb', { service: GatewayVpcEndpointAwsService.DYNAMODB });
    admit(dynamoDb, ['dynamodb:*'], [log.table.tableArn, records.table.tableArn, memory.table.tableArn]);
    const s3 = this.vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
    admit(s3, ['s3:GetObject', 's3:PutObject'], [content.objects.ofLogs, content.objects.blobs]);
    admit(s3, ['s3:GetObject'], [content.objects.archives]);
    // ECR keeps the layers of images in a bucket of AWS, which has a documented name in every Region.
    const layers = `arn:${Aws.PARTITION}:s3:::prod-${Aws.REGION}-starport-layer-bucket/*`;
    admit(s3, ['s3:GetObject'], [layers]);
  }

  #interfaceEndpoints(group: ISecurityGroup): void {
    const pull = ['ecr:GetAuthorizationToken', 'ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer'];
    const write = ['logs:CreateLogStream', 'logs:PutLogEvents'];
    const services = [
      { id: 'EcrApi', service: InterfaceVpcEndpointAwsService.ECR, actions: [...pull, 'ecr:BatchGetImage'] },
      { id: 'EcrDocker', service: InterfaceVpcEndpointAwsService.ECR_DOCKER, actions: [...pull, 'ecr:BatchGetImage'] },
      { id: 'Logs', service: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS, actions: write },
    ];
    for (const { id, service, actions } of services) {
      const endpoint = this.vpc.addInterfaceEndpoint(id, {
        service,
        subnets: this.subnets,
        securityGroups: [group],
        open: false,
      });
      admit(endpoint, actions, ['*'], { StringEquals: { 'aws:PrincipalAccount': Aws.ACCOUNT_ID } });
    }
  }
}

function tcp(port: number): { readonly ipProtocol: string; readonly fromPort: number; readonly toPort: number } {
  return { ipProtocol: 'tcp', fromPort: port, toPort: port };
}

function admit(endpoint: VpcEndpoint, actions: string[], resources: string[], conditions = {}): void {
  endpoint.addToPolicy(new PolicyStatement({ principals: [new AnyPrincipal()], actions, resources, conditions }));
}
