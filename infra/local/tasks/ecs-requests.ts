/** What ECS calls may ask here; anything else in a request is ignored, as this machine has no use for it. */
import * as z from 'zod';
import { AwsFault } from '../aws/wire.ts';

const Pair = z.object({ name: z.string(), value: z.string() });

export const RunTask = z.object({
  cluster: z.string().default('default'),
  taskDefinition: z.string(),
  count: z.int().default(1),
  clientToken: z.string().max(64).optional(),
  startedBy: z.string().max(128).optional(),
  group: z.string().optional(),
  launchType: z.string().optional(),
  enableExecuteCommand: z.boolean().default(false),
  tags: z.array(z.object({ key: z.string(), value: z.string().optional() })).default([]),
  networkConfiguration: z.object({
    awsvpcConfiguration: z.object({
      subnets: z.array(z.string()).min(1),
      assignPublicIp: z.enum(['ENABLED', 'DISABLED']).default('DISABLED'),
    }),
  }),
  overrides: z
    .object({
      containerOverrides: z.array(z.object({ name: z.string(), environment: z.array(Pair).default([]) })).default([]),
      taskRoleArn: z.string().optional(),
      executionRoleArn: z.string().optional(),
    })
    .default({ containerOverrides: [] }),
});
export type RunTask = z.infer<typeof RunTask>;

export const DescribeTasks = z.object({
  cluster: z.string().default('default'),
  tasks: z.array(z.string()).min(1).max(100),
});
export const StopTask = z.object({
  cluster: z.string().default('default'),
  task: z.string(),
  reason: z.string().optional(),
});

export function invalidParameter(message: string): AwsFault {
  return new AwsFault('InvalidParameterException', message);
}
