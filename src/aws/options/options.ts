import type { ConnectionOptions, RedshiftOptions, VpcOptions } from './network.js'
import type { Team } from './teams.js'

/** Resources of one function. */
export interface FunctionOptions {
  /**
   * Memory, from `256MiB` to `10240MiB`; the CPU grows with it. Default: what the largest table of
   * the job needs as it was at the last deployment, at least `2048MiB`.
   */
  memory?: string
  /**
   * Space in `/tmp` for copies of objects and for spilling, up to `10240MiB`. Default: what the
   * tables of the job need as they were at the last deployment, at least `4096MiB`.
   */
  disk?: string
  /** Time limit of one run, up to `15m`, which is the default. Runs that reach it go on later. */
  timeout?: string
}

/** Jobs of Glue, for what is larger than a function. */
export interface GlueOptions {
  /** Workers at most; Glue takes as many as there is work for. From 2 on. Default: 10. */
  workers?: number
  /** The kind of workers: `G.1X` (4 CPUs, 16 GB, the default), `G.2X`, `G.4X`, `G.8X`. */
  worker?: 'G.1X' | 'G.2X' | 'G.4X' | 'G.8X'
  /** Glue's version: `6.0` has Spark 4.1, and is the default; `5.0` has Spark 3.5. */
  version?: '5.0' | '6.0'
  /** Time limit of a run. Default: `4h`. */
  timeout?: string
  /**
   * The size of files from which on a step goes to Glue, such as `10GiB`. Default: where it has
   * more bytes than the function has memory, or takes longer than the function has left.
   */
  from?: string
}

export interface AwsOptions {
  /** The region of everything: `eu-central-1`. */
  region: string
  /** The account, twelve digits: `moraine deploy` refuses to change another one. */
  account?: string
  /** What names of resources begin with. Default: the lake's name, with `-` for `_`. */
  name?: string
  /**
   * The bucket's name, unique among all accounts. Default: name, account and region, as
   * `orders-lake-123456789012-eu-central-1`.
   */
  bucket?: string
  /** A key of KMS that is the lake's own (`kms`, the default), or SSE-S3 with AES-256 (`s3`). */
  encryption?: 'kms' | 's3'
  /**
   * How long objects that Moraine removed can be brought back: `30d`, the default. Those of a
   * dataset that keeps its rows for a shorter time go sooner.
   */
  noncurrent?: string
  /**
   * Whether archived originals can't be removed: a legal hold that only `s3:PutObjectLegalHold`
   * lifts. For a lock that ends, see `archive: { lock: '365 days' }` of a bronze dataset.
   */
  archiveLock?: boolean
  /** The processors of functions; `arm64` costs less, and is the default. */
  architecture?: 'arm64' | 'x64'
  /** Memory, disk and time limit of functions. */
  functions?: FunctionOptions
  /** The same for the function of one job, by the name of its dataset: `bronze.orders`. */
  jobs?: Readonly<Record<string, FunctionOptions>>
  /** Schedules that do not run until this is taken back: all (`true`), or those of some jobs. */
  paused?: boolean | readonly string[]
  /** Variables that `lake.ts` reads from the environment; for secrets use `secrets`. */
  environment?: Readonly<Record<string, string>>
  /**
   * Variables whose values are secrets in Secrets Manager: the secret's name, or name and JSON key
   * as `shop/database#password`. Only names are in templates; functions fetch the values.
   */
  secrets?: Readonly<Record<string, string>>
  /** A network for functions whose sources are private. */
  vpc?: VpcOptions
  /**
   * What Glue's databases begin with: `shop_test` for `shop_test_silver` and the others. Two
   * deployments of one definition need it in one account. Default: the lake's name.
   */
  databases?: string
  /**
   * Whether a function shows the lake in Glue's catalog after each commit, for Athena and other
   * readers. Default: yes.
   */
  projection?: boolean
  /**
   * Whether the lake's Iceberg REST catalog has an address of its own, for engines that show a
   * token: `access` of the lake, or the secret `MORAINE_TOKEN`, says which.
   */
  catalog?: boolean
  /**
   * Who reads the lake: each team has a role and a workgroup of Athena. Default: none.
   */
  teams?: Readonly<Record<string, Team>>
  /** Questions that Athena's console offers to the first of the teams, by name, in its SQL. */
  queries?: Readonly<Record<string, string>>
  /** Whether rulesets of Glue Data Quality are made of what datasets promise. */
  quality?: boolean
  /** Whether a crawler of Glue over bronze is made; nothing here needs it. */
  crawlers?: boolean
  /** Connections of Glue to databases in a network, by name. */
  connections?: Readonly<Record<string, ConnectionOptions>>
  /**
   * A job of Glue for each job of the lake, which Spark runs: functions start it for steps that
   * they can't finish. Default: none, and such steps fail.
   */
  glue?: GlueOptions
  /** A warehouse of Redshift Serverless that reads gold. */
  redshift?: RedshiftOptions
  /** Who is told of alarms; the address must be confirmed once. */
  alarmEmail?: string
  /** US dollars a month: alarms say when the lake costs more, by its tag. */
  budget?: number
  /** Whether CloudTrail notes who reads and writes which object of the lake. */
  audit?: boolean
  /** Tags of all resources, to group costs by. `lake` is always one of them. */
  tags?: Readonly<Record<string, string>>
}
