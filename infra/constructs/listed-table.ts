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
  /** Rows with it are removed some time after that instant, in epoch seconds. @default none ever are */
  readonly timeToLiveAttribute?: string;
  /** Beside `list`. */
  readonly indexes?: readonly GlobalSecondaryIndexPropsV2[];
}

/** A table that can be restored to any moment of the last 35 days, with an index `list` over those rows that say so. */
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
