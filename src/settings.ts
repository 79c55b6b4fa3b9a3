import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/*
 * What Moraine reads of the environment, all of it: nothing else looks at `process.env`. The guide
 * shows this list (docs/guide/running.md).
 */

/** Variables, and what each says. */
export const variables = {
  MORAINE_ROOT:
    'Where the lake is stored, a folder or `s3://…`; overrides the `root` of `lake.ts`.',
  MORAINE_BRANCH: 'The branch that commands read and run on, like `--branch` (default: main).',
  MORAINE_MEMORY:
    'Memory limit of commands that build or maintain the lake, such as `2GB`, like their `--memory` (default: 60 % of the machine). Queries have [limits of their own](reading.md#limits).',
  MORAINE_CACHE:
    'The folder for local copies of objects in a bucket (default: `~/.cache/moraine`).',
  MORAINE_CACHE_SIZE: 'Maximum size of these copies, such as `20GiB` (default: `10GiB`).',
  MORAINE_EXTENSIONS:
    'The folder with DuckDB extensions (default: `~/.duckdb/extensions`); none is required.',
  MORAINE_DECODER_SECONDS:
    'CPU seconds that decoding a file may take without progress (default: `20`).',
  MORAINE_DECODER_MEMORY:
    'Memory that decoding a file may take, such as `4GiB` (default: half of the machine).',
  MORAINE_METRICS_TOKEN:
    'The token that `serve` requires at `/metrics` and `/status`; without one, only a server on 127.0.0.1 without `--behind-proxy` has them.',
  MORAINE_TOKEN:
    'A token for `serve --catalog` and `serve --query` that may read and write everything, beside `access`; also for runs on Trino. Without it and without `access`, the catalog is read-only, and the query service makes keys for this machine.',
  MORAINE_JOB: 'The job that a function of AWS is for; without it, events say which.',
  MORAINE_DEPLOYED:
    'The name under which a lake is deployed to AWS, in metrics of its functions (default: the name of the lake).',
  MORAINE_GLUE_JOB: 'The job of Glue to which a function hands over what it can’t finish.',
  MORAINE_GLUE_FROM:
    'The size from which on steps are handed over, such as `1GiB` (default: as the plan estimates).',
  MORAINE_QUEUES:
    'Queues of SQS by job, as JSON: `{"bronze.orders": "https://…"}`. A function sends into them what goes on later, and jobs that run after others.',
  MORAINE_SECRETS:
    'Variables that a function fetches from Secrets Manager when it starts, as JSON: `{"SHOP_URL": "shop/database#url"}`.',
  MORAINE_DEFINITION: 'The definition in one file, for a job of Spark: `runner.py` sets it.',
  MORAINE_ARCHIVE: 'The archive with Node and Moraine, for the executors of a job of Spark.',
  MORAINE_TASKS: 'Tasks that a job of Spark has at the same time (default: 4).',
  MORAINE_CORES: 'Cores of an executor of such a job, all of which a task has (default: 1).',
  MORAINE_PYTHON:
    'The Python that has pyspark, for steps on Spark (default: that of `SPARK_HOME`, or on the PATH).',
  PYSPARK_GATEWAY_PORT: 'Set by Spark for the programs that it starts.',
  SPARK_HOME: 'A distribution of Spark, for steps on Spark.',
  PYSPARK_PYTHON: 'The Python that Spark starts, if `MORAINE_PYTHON` is not set.',
  OPENLINEAGE_URL: 'Where run events are sent, as OpenLineage.',
  OPENLINEAGE_ENDPOINT: 'The endpoint path there (default: `api/v1/lineage`).',
  OPENLINEAGE_API_KEY: 'The API key to send.',
  OPENLINEAGE_NAMESPACE: 'The namespace of jobs and datasets (default: the name of the lake).',
  OPENLINEAGE_DISABLED: '`true` turns events off.',
  OPENLINEAGE__TRANSPORT__TYPE: '`file` writes events to a file instead.',
  OPENLINEAGE__TRANSPORT__LOG_FILE_PATH: 'The path of that file.',
  AWS_REGION: 'The region of buckets and queues that do not specify one.',
  AWS_DEFAULT_REGION: 'The same, if `AWS_REGION` is not set.',
  AWS_ENDPOINT_URL_S3: 'The endpoint of S3, if it is not Amazon’s.',
  AWS_ENDPOINT_URL: 'The same, if `AWS_ENDPOINT_URL_S3` is not set.',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: 'The memory of a function of AWS in MiB, as Lambda sets it.',
  AWS_PROFILE: 'The profile whose credentials `deploy` uses, as all tools of AWS do.',
  AWS_ACCESS_KEY_ID: 'A key that is used instead, with `AWS_SECRET_ACCESS_KEY`.',
  AWS_WEB_IDENTITY_TOKEN_FILE: 'A token that a role is assumed with, as in CI.',
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: 'Where a container of ECS has its credentials.',
  AWS_CONTAINER_CREDENTIALS_FULL_URI: 'The same elsewhere, as in EKS.',
  AWS_SHARED_CREDENTIALS_FILE: 'The file with keys (default: `~/.aws/credentials`).',
  AWS_CONFIG_FILE: 'The file with profiles (default: `~/.aws/config`).',
  NO_COLOR: 'Turns colours off.',
  FORCE_COLOR: 'Turns colours on even if the output is not a terminal.',
  TERM: '`dumb` means a terminal without colours.',
  USER: 'The author of commits.',
  PATH: 'Where our processes find programs.',
} as const

export type Variable = keyof typeof variables

/** What a variable says; one that is empty says nothing. */
export function variable(
  name: Variable,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return env[name] || undefined
}

/** A variable that the user's definition names. */
export function userVariable(name: string): string | undefined {
  return process.env[name]
}

/**
 * The whole environment, for a process that loads the user's definition, which may read any of it.
 */
export function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  )
}

/**
 * Whether there may be credentials of AWS: where nothing says so, its client library would wait for
 * answers that never come.
 */
export function hasAwsCredentials(): boolean {
  const said = [
    'AWS_PROFILE',
    'AWS_ACCESS_KEY_ID',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  ] as const
  const files = [
    variable('AWS_SHARED_CREDENTIALS_FILE') ?? join(homedir(), '.aws/credentials'),
    variable('AWS_CONFIG_FILE') ?? join(homedir(), '.aws/config'),
  ]
  return said.some((name) => variable(name)) || files.some((file) => existsSync(file)) || onEc2()
}

/** Machines of EC2 may have a role. */
function onEc2(): boolean {
  try {
    return readFileSync('/sys/devices/virtual/dmi/id/sys_vendor', 'utf8').startsWith('Amazon')
  } catch {
    return false
  }
}

/** Keeps the client library of AWS from telling every run which versions of Node it will need. */
export function quietAwsSdk(): void {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
}

/** Gives this process, and those that it starts, a variable; one that is set stays. */
export function setVariable(name: Variable | 'HOME', value: string): void {
  process.env[name] ||= value
}

/** Gives this process a variable that the user's definition reads. */
export function setUserVariable(name: string, value: string): void {
  process.env[name] = value
}
