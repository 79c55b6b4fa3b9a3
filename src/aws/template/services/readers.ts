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
import { keyStatements, role } from './iam.js'

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

const READ_CATALOG = actions(
  'glue',
  `GetDatabase GetDatabases GetTable GetTables GetPartition GetPartitions BatchGetPartition`,
)
const QUERY = actions(
  'athena',
  `StartQueryExecution StopQueryExecution GetQueryExecution GetQueryResults GetQueryResultsStream
BatchGetQueryExecution ListQueryExecutions GetWorkGroup GetNamedQuery ListNamedQueries
BatchGetNamedQuery`,
)

function statements(context: Context, name: string, team: Team): Statement[] {
  const granted = grantedTo(team)
  const folders = [...new Set(granted.flatMap((one) => foldersFor(context, one)))]
  const tables = granted.flatMap((one) => tableArns(context, one))
  const results = att(IDS.results)
  return [
    {
      ...allow('List', ['s3:ListBucket'], att(IDS.bucket)),
      // Never without a prefix: that would tell the names of all that there is.
      Condition: { StringLike: { 's3:prefix': folders.map((folder) => `${folder}*`) } },
    },
    allow(
      'Read',
      ['s3:GetObject'],
      folders.map((folder) => objects(`${folder}*`)),
    ),
    allow('Tables', READ_CATALOG, [
      arn('glue', 'catalog'),
      ...new Map(tables.map((one) => [JSON.stringify(one), one])).values(),
    ]),
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
function foldersFor({ lake }: Context, { layer, table }: Granted): string[] {
  const tier = layer === 'discarded' || layer === 'history' ? 'silver' : layer
  const own = lake.datasets.filter(
    (one) => one.tier === tier && (table === undefined || one.name === table),
  )
  const start = `${layer}/`
  const lists = table === undefined ? LISTS : `${LISTS}${table.toLowerCase()}/`
  const beside = layer === 'bronze' ? [lists] : []
  if (table === undefined && !(layer in lake.folders)) return [start, ...beside]
  const folders = own
    .flatMap((dataset) => foldersOf(lake, dataset))
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
