import type { FunctionPart } from '../template/parts.ts';

interface Surroundings {
  readonly region: string;
  readonly endpointUrl: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly logStream: string;
}

/**
 * Everything a function sees of the world, as Lambda sets it; nothing of this machine's own environment.
 * The SDK's shared files are pointed at nothing, because a developer's profile must not reach a function.
 */
export function functionEnvironment(part: FunctionPart, around: Surroundings): Record<string, string> {
  return {
    ...part.environment,
    AWS_REGION: around.region,
    AWS_DEFAULT_REGION: around.region,
    AWS_ACCESS_KEY_ID: around.accessKeyId,
    AWS_SECRET_ACCESS_KEY: around.secretAccessKey,
    AWS_ENDPOINT_URL: around.endpointUrl,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: part.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(part.memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${part.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: around.logStream,
    AWS_XRAY_CONTEXT_MISSING: 'IGNORE_ERROR',
    LAMBDA_TASK_ROOT: part.codeDir,
    LANG: 'en_US.UTF-8',
    NODE_PATH: '',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    TZ: ':UTC',
    _HANDLER: part.handler,
  };
}

/** The entry's folder name: how people and log files call a function. */
export function serviceOf(part: FunctionPart): string {
  return part.environment['POWERTOOLS_SERVICE_NAME'] ?? part.name;
}
