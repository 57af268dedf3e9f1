/** A process that dies: from one of its effects on, all of its port calls fail, and none of them has an effect. */
export function mortal() {
  let effects = 0;
  let deadly = 0;
  let isDead = false;
  return {
    /** The port as the process has it. A list that it reads is no effect. */
    dying: <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get(target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== 'function' || name === 'list') return method;
          return (...args: unknown[]): unknown => {
            effects += 1;
            isDead ||= effects === deadly;
            return isDead ? Promise.reject(new Error('killed')) : Reflect.apply(method, target, args);
          };
        },
      }),
    /** 0: it lives. */
    dieBefore: (effect: number) => void ([effects, deadly, isDead] = [0, effect, false]),
    revive: () => void ([deadly, isDead] = [0, false]),
    isDead: () => isDead,
    effects: () => effects,
  };
}
