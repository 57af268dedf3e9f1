import * as z from 'zod';
import type { SubnetPart } from './parts.ts';
import type { Stack } from './stack.ts';

const Association = z.object({ SubnetId: z.string(), RouteTableId: z.string() });
const Route = z.object({
  RouteTableId: z.string(),
  DestinationCidrBlock: z.string().optional(),
  GatewayId: z.string().optional(),
  NatGatewayId: z.string().optional(),
});

/** The subnets, and which way out each one's route table has. */
export function subnetParts(stack: Stack): readonly SubnetPart[] {
  const gateways = new Set(stack.of('AWS::EC2::InternetGateway').map((gateway) => stack.identity(gateway).ref));
  const routes = stack
    .of('AWS::EC2::Route')
    .map((route) => stack.read(route, Route))
    .filter(({ DestinationCidrBlock }) => DestinationCidrBlock === '0.0.0.0/0');
  const tables = new Map(
    stack.of('AWS::EC2::SubnetRouteTableAssociation').map((association) => {
      const { SubnetId, RouteTableId } = stack.read(association, Association);
      return [SubnetId, RouteTableId] as const;
    }),
  );
  return stack.of('AWS::EC2::Subnet').map((subnet) => {
    const { ref: id } = stack.identity(subnet);
    const own = routes.filter(({ RouteTableId }) => RouteTableId === tables.get(id));
    if (own.some(({ NatGatewayId }) => NatGatewayId !== undefined)) return { id, wayOut: 'nat' };
    return { id, wayOut: own.some(({ GatewayId }) => gateways.has(GatewayId ?? '')) ? 'gateway' : null };
  });
}
