import type { AwsEndpoint } from '../aws/service.ts';
import type { Invoke } from './invoke.ts';
import type { Template } from '../template/parts.ts';
import type { LogFiles } from './log-files.ts';
import { createPool, type LambdaPool, type PoolOptions } from './pool.ts';

/** Callbacks about the workers, for measurements. */
export type PoolListeners = Pick<PoolOptions, 'onLoad' | 'onInvocation'>;

export interface Functions {
  readonly invoke: Invoke;
  readonly pool: () => LambdaPool;
  open(template: Template, endpoint: AwsEndpoint): void;
  close(): Promise<void>;
}

/**
 * Functions need the addresses of the gateway and of AWS, and both need to invoke functions: they start first, and a function
 * that is invoked before `open` fails.
 */
export function createFunctions(logs: LogFiles, listeners: PoolListeners): Functions {
  let opened: LambdaPool | null = null;
  let closing = false;
  const pool = (): LambdaPool => {
    if (opened === null) throw new Error('Functions can not be invoked before the runtime has started.');
    return opened;
  };
  return {
    pool,
    async invoke(functionArn, payload) {
      try {
        return await pool().invoke(functionArn, payload);
      } catch (error) {
        // A function that ends because everything ends has not failed: its execution is resumed by the next runtime.
        if (closing) return new Promise(() => undefined);
        throw error;
      }
    },
    open(template, endpoint) {
      const { url: endpointUrl, credentialsFor } = endpoint;
      opened = createPool({ ...listeners, template, endpointUrl, credentialsFor, logs });
    },
    async close() {
      closing = true;
      await opened?.close();
    },
  };
}
