import { type Layer, LISTS } from '../../glue/names.js'
import type { Team } from '../../options/teams.js'
import {
  account,
  arn,
  att,
  type Json,
  join,
  partition,
  type Resources,
  type Statement,
} from '../cfn.js'
import { type Context, databasesOf, IDS, objects } from '../context.js'
import { foldersOf } from '../jobs/rights.js'
import { idFor } from '../names.js'
import { teamsOf, workgroupName } from './athena.js'
import { keyStatements, listOnly, role } from './iam.js'

/** A role for each team, which reads what is granted to it, by Athena or any engine. */
export function readers(context: Context): Resources {
  return Object.assign(
    {},
    ...Object.entries(teamsOf(context)).map(([name, team]) =>
      role(context, `${idFor(name)}Reader`, {
        name: `read.${name}`,
        principal: { AWS: team.members ?? join('arn:', partition, ':iam::', account, ':root') },
        statements: statements(context, name, team),
      }),
    ),
  )
}

/** What a team may read: `gold` is all of gold, `gold.orders` one table of it. */
interface Granted {
  readonly layer: Layer
  /** `undefined`: all of its layer. */
  readonly table: string | undefined
}

function grantedTo({ read }: Team): Granted[] {
  return read.map((text) => {
    const [layer = '', table] = text.split('.')
    return { layer: layer as Layer, table }
  })
}

const allow = (Sid: string, Action: string[], Resource: Json): Statement => ({
  Sid,
  Effect: 'Allow',
  Action,
  Resource,
})

const actions = (service: string, names: string) =>
  names.split(/\s+/).map((name) => `${service}:${name}`)

const READ_CATALOG = actions('glue', 'GetDatabase GetDatabases GetTable GetTables')
/** Batches of bronze are partitions of Glue's; tables of Iceberg have none there. */
const READ_PARTITIONS = actions('glue', 'GetPartition GetPartitions BatchGetPartition')
/** Athena's guide, "Run queries in a workgroup": what asks, and nothing that keeps or removes. */
const QUERY = actions(
  'athena',
  `StartQueryExecution StopQueryExecution GetQueryExecution GetQueryResults GetQueryResultsStream
BatchGetQueryExecution ListQueryExecutions GetWorkGroup GetNamedQuery ListNamedQueries
BatchGetNamedQuery`,
)

function statements(context: Context, name: string, team: Team): Statement[] {
  const granted = grantedTo(team)
  const folders = [...new Set(granted.flatMap((one) => foldersFor(context, one)))]
  const batches = granted.filter(({ layer }) => layer === 'bronze')
  const inCatalog = (of: readonly Granted[]) => {
    const arns = of.flatMap((one) => tableArns(context, one))
    return [arn('glue', 'catalog'), ...new Map(arns.map((a) => [JSON.stringify(a), a])).values()]
  }
  const results = att(IDS.results)
  return [
    listOnly(folders),
    allow(
      'Read',
      ['s3:GetObject'],
      folders.map((folder) => objects(`${folder}*`)),
    ),
    allow('Tables', READ_CATALOG, inCatalog(granted)),
    ...(batches.length > 0 ? [allow('Batches', READ_PARTITIONS, inCatalog(batches))] : []),
    // Athena asks for it whatever is queried: "Configure access to databases and tables".
    allow(
      'Default',
      ['glue:GetDatabase'],
      [arn('glue', 'catalog'), arn('glue', 'database/default')],
    ),
    allow('Queries', QUERY, arn('athena', `workgroup/${workgroupName(context, name)}`)),
    allow('ResultsPlace', ['s3:GetBucketLocation'], results),
    {
      ...allow('ResultsList', ['s3:ListBucket'], results),
      // Athena also asks whether the bucket is there.
      Condition: { StringLikeIfExists: { 's3:prefix': [`${name}/*`] } },
    },
    allow(
      'Results',
      ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'],
      join(results, `/${name}/*`),
    ),
    ...keyStatements(context, ['kms:Decrypt', 'kms:GenerateDataKey']),
  ]
}

/** Where tables lie; of bronze also the lists of files by which Athena finds its rows. */
function foldersFor(context: Context, { layer, table }: Granted): string[] {
  const { lake } = context
  const tier = layer === 'discarded' || layer === 'history' ? 'silver' : layer
  const own = lake.datasets.filter(
    (one) => one.tier === tier && (table === undefined || one.name === table),
  )
  const start = `${layer}/`
  const lists = table === undefined ? LISTS : `${LISTS}${table.toLowerCase()}/`
  const beside = layer === 'bronze' ? [lists] : []
  if (table === undefined && !(layer in lake.folders)) return [start, ...beside]
  const folders = own
    .flatMap((dataset) => foldersOf(context, dataset))
    .filter((folder) => folder.startsWith(start))
  return [...folders, ...beside]
}

function tableArns(context: Context, { layer, table }: Granted): Json[] {
  const database = databasesOf(context)[layer]
  return [
    arn('glue', `database/${database}`),
    arn('glue', `table/${database}/${table?.toLowerCase() ?? '*'}`),
  ]
}
