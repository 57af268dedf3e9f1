/** The response of a custom resource's function. */
import type { CustomResourceResponse, TellCloudFormation } from '#contract/custom-resource.ts';

/** CloudFormation waits for an hour when it hears nothing, so a failed PUT fails the invocation, which Lambda repeats. */
export const tellCloudFormation: TellCloudFormation = async (request, physicalId, { Status, Reason }) => {
  const response: CustomResourceResponse = {
    Status,
    ...(Reason === undefined ? {} : { Reason }),
    PhysicalResourceId: request.PhysicalResourceId ?? physicalId,
    StackId: request.StackId,
    RequestId: request.RequestId,
    LogicalResourceId: request.LogicalResourceId,
  };
  // The URL is signed for a PUT without a content type.
  const answer = await fetch(request.ResponseURL, {
    method: 'PUT',
    body: JSON.stringify(response),
    headers: { 'content-type': '' },
  });
  if (!answer.ok) throw new Error(`CloudFormation answered ${answer.status} to the custom resource's response`);
};
