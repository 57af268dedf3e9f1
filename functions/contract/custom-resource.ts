/** CloudFormation's request to a custom resource's function, and the response (PUT to `ResponseURL`). */
import * as z from 'zod';

export const CustomResourceRequest = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url(),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string().optional(),
});
export type CustomResourceRequest = z.infer<typeof CustomResourceRequest>;

export const CustomResourceResponse = z.object({
  Status: z.enum(['SUCCESS', 'FAILED']),
  Reason: z.string().optional(),
  PhysicalResourceId: z.string(),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
});
export type CustomResourceResponse = z.infer<typeof CustomResourceResponse>;

/** What a function says of its work; the rest of the response follows from the request. */
export type CustomResourceOutcome = Pick<CustomResourceResponse, 'Status' | 'Reason'>;
/** Sends the response. */
export type TellCloudFormation = (
  request: CustomResourceRequest,
  physicalId: string,
  outcome: CustomResourceOutcome,
) => Promise<void>;
