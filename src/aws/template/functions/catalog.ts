import {
  att,
  explained,
  type Json,
  type Resource,
  type Resources,
  ref,
  type Statement,
} from '../cfn.js'
import { type Context, objects } from '../context.js'
import { catalogSecrets, foldersOf, layersOf } from '../jobs/rights.js'
import { CATALOG } from '../jobs/sizes.js'
import { alarm } from '../services/alarms.js'
import {
  functionStatements,
  keyStatements,
  listStatement,
  role,
  secretStatements,
} from '../services/iam.js'
import { lambdaFunction } from '../services/lambda.js'

/**
 * The lake's Iceberg REST catalog at an address of its own. Whoever asks shows a token that the
 * lake's `access` knows: the address by itself lets nobody in.
 */
export function catalog(context: Context): Resources {
  if (!context.deploy.catalog) return {}
  const toAll = (Action: string, more: Readonly<Record<string, Json>>): Resource => ({
    Type: 'AWS::Lambda::Permission',
    Properties: { Action, FunctionName: att('CatalogFunction'), Principal: '*', ...more },
  })
  return {
    ...role(context, 'CatalogRole', {
      name: 'catalog',
      principal: 'lambda.amazonaws.com',
      statements: statements(context),
    }),
    CatalogFunction: lambdaFunction(context, {
      name: 'catalog',
      description: `The Iceberg REST catalog of the lake ${context.lake.name}`,
      handler: 'catalog',
      role: 'CatalogRole',
      ...CATALOG,
    }),
    CatalogUrl: explained(
      {
        Type: 'AWS::Lambda::Url',
        Properties: {
          TargetFunctionArn: att('CatalogFunction'),
          AuthType: 'NONE',
          InvokeMode: 'RESPONSE_STREAM',
        },
      },
      { CKV_AWS_258: 'Engines show tokens of the lake, which the function checks.' },
    ),
    CatalogIsReached: toAll('lambda:InvokeFunctionUrl', { FunctionUrlAuthType: 'NONE' }),
    CatalogIsInvoked: toAll('lambda:InvokeFunction', { InvokedViaFunctionUrl: true }),
    // No queue has dead letters of it: who asked was answered an error.
    CatalogErrorsAlarm: alarm(context, 'CatalogErrors', {
      AlarmDescription:
        'The REST catalog answered that it failed: the log of the functions says why',
      Namespace: 'AWS/Lambda',
      MetricName: 'Url5xxCount',
      Dimensions: [{ Name: 'FunctionName', Value: ref('CatalogFunction') }],
      Statistic: 'Sum',
      Period: 300,
    }),
  }
}

/** What of the log it removes: what it has written itself, and put something newer beside. */
const REMOVED = ['audit', 'checkpoints', 'coming', 'live', 'probe'].map((of) => `_moraine/${of}/`)

/**
 * What of the log it writes: no lists for Athena, no records of runs, and none of the definitions
 * that workers run. Its address is open to all.
 */
const WRITTEN = [...REMOVED, '_moraine/log/', '_moraine/lake.json']

/**
 * Tables of silver and gold, those of engines, and the log; never rows of bronze. It writes tables
 * of engines, and of the lake's own those that engines may write.
 */
function statements(context: Context): Statement[] {
  const { lake } = context
  const writable = lake.datasets.filter((one) => one.tier !== 'bronze' && one.writes === 'allow')
  const written = writable.flatMap((dataset) => foldersOf(context, dataset))
  const tables = [...layersOf(context).map((layer) => `${layer}/`), 'external/']
  const allow = (Sid: string, Action: readonly string[], paths: readonly string[]): Statement => ({
    ...{ Sid, Effect: 'Allow', Action, Resource: paths.map((path) => objects(`${path}*`)) },
  })
  return [
    listStatement(['_moraine/', ...tables]),
    allow('Read', ['s3:GetObject'], ['_moraine/', ...tables]),
    allow(
      'Write',
      ['s3:PutObject', 's3:AbortMultipartUpload'],
      [...WRITTEN, 'external/', ...new Set(written)],
    ),
    allow('Remove', ['s3:DeleteObject'], REMOVED),
    ...keyStatements(context, ['kms:Decrypt', 'kms:GenerateDataKey']),
    ...functionStatements(context),
    ...secretStatements(context, catalogSecrets(context)),
  ]
}
