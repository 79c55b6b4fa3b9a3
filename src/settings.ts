/*
 * What Moraine reads of the environment, all of it: nothing else looks at `process.env`. The guide shows this list (docs/guide/running.md).
 */

/** Variables, and what each says. */
export const variables = {
  MORAINE_ROOT: 'Where the lake lies, a folder or `s3://…`, in place of the `root` of `lake.ts`.',
  MORAINE_MEMORY:
    'Memory that a command stays within, such as `2GB`, as `--memory` says (default: 60 % of the machine).',
  MORAINE_CACHE: 'The folder for copies of objects of a bucket (default: `~/.cache/moraine`).',
  MORAINE_CACHE_SIZE: 'What these copies may take, such as `20GiB` (default: `10GiB`).',
  MORAINE_EXTENSIONS:
    'The folder with extensions of DuckDB (default: `~/.duckdb/extensions`); none is needed.',
  MORAINE_DECODER_SECONDS:
    'Seconds of processor time that a file may take to decode without going on (default: `20`).',
  MORAINE_DECODER_MEMORY:
    'Memory that decoding a file may take, such as `4GiB` (default: half of the machine).',
  MORAINE_METRICS_TOKEN:
    'The token that `serve` asks for at `/metrics`; without one it answers this machine alone.',
  OPENLINEAGE_URL: 'Where events of runs are sent to, as OpenLineage.',
  OPENLINEAGE_ENDPOINT: 'The path there (default: `api/v1/lineage`).',
  OPENLINEAGE_API_KEY: 'The key that is sent along.',
  OPENLINEAGE_NAMESPACE: 'The namespace of jobs and datasets (default: the name of the lake).',
  OPENLINEAGE_DISABLED: '`true` sends no events.',
  OPENLINEAGE__TRANSPORT__TYPE: '`file` writes events to a file instead.',
  OPENLINEAGE__TRANSPORT__LOG_FILE_PATH: 'That file.',
  AWS_REGION: 'The region of buckets and queues that name none.',
  AWS_DEFAULT_REGION: 'The same, where `AWS_REGION` is not set.',
  AWS_ENDPOINT_URL_S3: 'The address of S3, where it is not Amazon’s.',
  AWS_ENDPOINT_URL: 'The same, where `AWS_ENDPOINT_URL_S3` is not set.',
  NO_COLOR: 'Shows no colours.',
  FORCE_COLOR: 'Shows colours also where the output is no terminal.',
  TERM: '`dumb` is a terminal without colours.',
  USER: 'Who commits are by.',
  PATH: 'What processes of ours find programs with.',
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

/** The whole environment, for a process that loads the user's definition, which may read any of it. */
export function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  )
}

/** Keeps the client library of AWS from telling every run which versions of Node it will need. */
export function quietAwsSdk(): void {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
}
