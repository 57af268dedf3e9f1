import type { Access } from '../service.ts';
import type { TablePart } from '../../template/parts.ts';
import { ACCOUNT, REGION } from '../../template/identities.ts';
import { AwsFault } from '../wire.ts';
import type { Input } from '../json-service.ts';

type Item = Readonly<Record<string, unknown>>;

/** What IAM is asked for a DynamoDB call: per table or index, and per action inside a transaction. */
export function createAccesses(tables: readonly TablePart[]): (operation: string, input: Input) => readonly Access[] {
  const partitionKeys = new Map(tables.map((table) => [table.name, partitionKey(table)]));
  const access = (action: string, table: string, keys: readonly (Item | null)[]): Access => {
    const key = partitionKeys.get(tableName(table));
    const leading = key === undefined ? [] : keys.flatMap((item) => scalar(item?.[key]));
    // Where one key of a call cannot be read, none is told, and a condition on keys then denies the call.
    const known = leading.length > 0 && leading.length === keys.length;
    return { action, resource: tableArn(table), context: known ? { 'dynamodb:LeadingKeys': leading } : {} };
  };
  return (operation, input) => {
    switch (operation) {
      case 'TransactWriteItems':
        return list(input['TransactItems']).map((entry) => {
          const [[kind, part] = ['', {}]] = Object.entries(entry);
          const { TableName, Key, Item: item } = Object(part) as Item;
          return access(TRANSACTION_ACTIONS[kind] ?? `dynamodb:${kind}`, String(TableName), [asItem(Key ?? item)]);
        });
      case 'BatchGetItem':
        return Object.entries(asItem(input['RequestItems']) ?? {}).map(([table, asked]) =>
          access('dynamodb:BatchGetItem', table, list(asItem(asked)?.['Keys'])),
        );
      case 'Query':
      case 'Scan': {
        const one = access(`dynamodb:${operation}`, tableOf(input), []);
        const index = input['IndexName'];
        if (typeof index === 'string') return [{ ...one, resource: `${one.resource}/index/${index}` }];
        const leading = queriedKey(input, partitionKeys.get(tableName(tableOf(input))));
        return [leading === null ? one : { ...one, context: { 'dynamodb:LeadingKeys': [leading] } }];
      }
      default: {
        if (typeof input['TableName'] !== 'string')
          return [{ action: `dynamodb:${operation}`, resource: '*', context: {} }];
        return [access(`dynamodb:${operation}`, tableOf(input), [asItem(input['Key'] ?? input['Item'])])];
      }
    }
  };
}

/** IAM knows no action for a transaction: each part needs the action that would do the same alone. */
const TRANSACTION_ACTIONS: Readonly<Record<string, string>> = {
  ConditionCheck: 'dynamodb:ConditionCheckItem',
  Delete: 'dynamodb:DeleteItem',
  Put: 'dynamodb:PutItem',
  Update: 'dynamodb:UpdateItem',
};

function partitionKey(table: TablePart): string {
  const hash = list(table.createTable['KeySchema']).find((key) => key['KeyType'] === 'HASH');
  return String(hash?.['AttributeName']);
}

function tableOf(input: Input): string {
  const { TableName } = input;
  if (typeof TableName === 'string') return TableName;
  throw new AwsFault('ValidationException', 'TableName is required and must be a string');
}

/** Calls may name a table by its ARN. */
function tableArn(table: string): string {
  return table.startsWith('arn:') ? table : `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${table}`;
}

function tableName(table: string): string {
  return table.startsWith('arn:') ? table.slice(table.lastIndexOf('/') + 1) : table;
}

/** The partition that `pk = :value` asks for; null for an expression of another form. */
function queriedKey(input: Input, key: string | undefined): string | null {
  const { KeyConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues } = input;
  if (typeof KeyConditionExpression !== 'string' || key === undefined) return null;
  const names = asItem(ExpressionAttributeNames) ?? {};
  for (const [, name = '', value = ''] of KeyConditionExpression.matchAll(/(?<![#\w])([#\w]+)\s*=\s*(:\w+)/g)) {
    if ((names[name] ?? name) === key) return scalar(asItem(ExpressionAttributeValues)?.[value])[0] ?? null;
  }
  return null;
}

/** `{"S":"x"}` → `x` */
function scalar(value: unknown): readonly string[] {
  const [first] = Object.values(asItem(value) ?? {});
  return typeof first === 'string' ? [first] : [];
}

function list(value: unknown): readonly Item[] {
  return Array.isArray(value) ? value.filter((one) => asItem(one) !== null) : [];
}

function asItem(value: unknown): Item | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Item) : null;
}
