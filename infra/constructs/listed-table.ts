import type { RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  Billing,
  type GlobalSecondaryIndexPropsV2,
  ProjectionType,
  TableEncryptionV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb';
import type { Construct } from 'constructs';

export interface ListedTableProps {
  readonly removalPolicy: RemovalPolicy;
  /** DynamoDB removes a row some time after the instant in this attribute, in epoch seconds. @default no row expires */
  readonly timeToLiveAttribute?: string;
  /** Indexes besides `list`. */
  readonly indexes?: readonly GlobalSecondaryIndexPropsV2[];
}

/** A table that can be restored to any moment of the last 35 days. Rows with the keys of the index `list` are in it. */
export function listedTable(scope: Construct, id: string, { indexes = [], ...props }: ListedTableProps): TableV2 {
  return new TableV2(scope, id, {
    partitionKey: { name: 'pk', type: AttributeType.STRING },
    sortKey: { name: 'sk', type: AttributeType.STRING },
    globalSecondaryIndexes: [{ ...indexKeys('list'), projectionType: ProjectionType.ALL }, ...indexes],
    billing: Billing.onDemand(),
    encryption: TableEncryptionV2.awsManagedKey(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    ...props,
  });
}

export function indexKeys(indexName: string) {
  return {
    indexName,
    partitionKey: { name: `${indexName}Pk`, type: AttributeType.STRING },
    sortKey: { name: `${indexName}Sk`, type: AttributeType.STRING },
  };
}
