import { LISTS } from '../../glue/names.js'
import { isProjected } from '../../options/aws.js'
import { type Json, type Resources, ref, type Statement } from '../cfn.js'
import { type Context, IDS, objects } from '../context.js'
import { layersOf } from '../jobs/rights.js'
import { PROJECTION } from '../jobs/sizes.js'
import { created, messages, rule } from '../services/events.js'
import { catalogArns } from '../services/glue.js'
import {
  functionStatements,
  keyStatements,
  listStatement,
  queueStatements,
  role,
  secretStatements,
} from '../services/iam.js'
import { lambdaFunction } from '../services/lambda.js'

/** Where commits of main are. */
const COMMITS = '_moraine/log/main/'

/** What manifests of batches are called: also of one that was discarded, or lost rows. */
const MANIFESTS = ['manifest', 'discarded-*', 'forgotten-*']

/** What `aws/glue/sdk-client` calls. */
const CALLS = [
  'GetTables',
  'GetTable',
  'CreateDatabase',
  'CreateTable',
  'UpdateTable',
  'DeleteTable',
  'GetPartitions',
  'BatchCreatePartition',
  'BatchUpdatePartition',
  'DeletePartition',
].map((name) => `glue:${name}`)

/**
 * Shows the lake in Glue's catalog: each commit of main is an event, which a FIFO queue of one
 * group holds for a function that reads the log; what it can't show goes to the dead letters.
 */
export function projection(context: Context): Resources {
  if (!isProjected(context.deploy)) return {}
  return {
    ...role(context, 'ProjectionRole', {
      name: 'projection',
      principal: 'lambda.amazonaws.com',
      statements: statements(context),
    }),
    ProjectionFunction: lambdaFunction(context, {
      name: 'projection',
      description: `Shows the lake ${context.lake.name} in Glue's catalog`,
      handler: 'project',
      role: 'ProjectionRole',
      ...PROJECTION,
    }),
    ProjectionRule: rule(context, {
      name: 'projection',
      pattern: created(ref(IDS.bucket), COMMITS),
    }),
    [IDS.projection]: messages(context, 'projection'),
  }
}

/** It reads the log, batches of bronze, and what tables say of themselves, never their rows. */
function statements(context: Context): Statement[] {
  const reads = [
    '_moraine/*',
    ...MANIFESTS.map((name) => `bronze/*/${name}.json`),
    ...layersOf(context).map((one) => `${one}/*/metadata/*`),
  ]
  const allow = (Sid: string, Action: readonly string[], Resource: Json): Statement => ({
    ...{ Sid, Effect: 'Allow', Action, Resource },
  })
  return [
    listStatement(['_moraine/']),
    allow('Read', ['s3:GetObject'], reads.map(objects)),
    allow('Lists', ['s3:PutObject'], objects(`${LISTS}*`)),
    allow('Catalog', CALLS, catalogArns(context)),
    ...keyStatements(context, ['kms:Decrypt', 'kms:GenerateDataKey']),
    ...functionStatements(context),
    ...queueStatements(context, 'projection'),
    ...secretStatements(context),
  ]
}
