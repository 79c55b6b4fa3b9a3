import type { Lake } from '../../define/lake.js'
import type { Job } from '../../plan/jobs.js'
import { databaseNames, namesOf } from '../glue/names.js'
import type { AwsDeploy } from '../options/aws.js'
import { att, type Json, join, ref } from './cfn.js'
import type { OlderFolders } from './jobs/rights.js'
import type { Sizes } from './jobs/sizes.js'
import { prefixOf } from './names.js'

/** What every module is given. */
export interface Context {
  readonly lake: Lake
  readonly deploy: AwsDeploy
  /** What names begin with. */
  readonly prefix: string
  readonly jobs: readonly Job[]
  /** What functions of jobs need, as far as that is known. */
  readonly sizes: ReadonlyMap<string, Sizes>
  readonly olderFolders: OlderFolders
}

export function contextOf(
  lake: Lake,
  deploy: AwsDeploy,
  more: Pick<Context, 'jobs' | 'sizes' | 'olderFolders'>,
): Context {
  return { lake, deploy, prefix: prefixOf(lake, deploy), ...more }
}

/** What modules call each other's resources. */
export const IDS = {
  key: 'Key',
  bucket: 'LakeBucket',
  logs: 'LogBucket',
  logGroup: 'LogGroup',
  dead: 'DeadLetters',
  deadFifo: 'DeadLettersFifo',
  topic: 'Alarms',
  results: 'ResultsBucket',
  projection: 'ProjectionMessages',
} as const

/** Where in the lake's bucket code and templates lie: no dataset has a folder of this name. */
export const DEPLOYED = '_deploy/'

/** The ARN of the lake's key; `undefined` where S3 has its own. */
export const keyArn = ({ deploy }: Context): Json | undefined =>
  deploy.encryption === 's3' ? undefined : att(IDS.key)

/** The ARN of objects of the lake. */
export const objects = (pattern: string): Json => join(att(IDS.bucket), `/${pattern}`)

/** Where the lake lies, as `MORAINE_ROOT` says it. */
export const root = (): Json => join('s3://', ref(IDS.bucket))

/** Databases of Glue's catalog, by layers. */
export const databasesOf = ({ lake, deploy }: Pick<Context, 'lake' | 'deploy'>) =>
  databaseNames(lake, namesOf(deploy))

/** What a deployment is called in metrics and on bills: two of one lake are told apart. */
export const deployedAs = ({ lake, deploy }: Context): string => deploy.name ?? lake.name

/** Tags, by their names. */
export const tagsByName = (context: Context) => ({
  lake: deployedAs(context),
  ...context.deploy.tags,
})

/** The tags of what takes a list of them. */
export const tagsOf = (context: Context): Json =>
  Object.entries(tagsByName(context)).map(([Key, Value]) => ({ Key, Value }))

/** What functions are told of that, where the lake's own name does not say it. */
export const deployedVariable = ({ deploy }: Context) =>
  deploy.name === undefined ? {} : { MORAINE_DEPLOYED: deploy.name }
