/** Cedar's JSON, as far as it is made and read here. */
export type CedarValue = string | number | boolean | CedarValue[] | { [name: string]: CedarValue };

export interface CedarId {
  readonly type: string;
  readonly id: string;
}

export interface CedarEntity {
  readonly uid: CedarId;
  readonly attrs: Record<string, CedarValue>;
  readonly parents: CedarId[];
}
