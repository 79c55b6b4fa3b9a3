import { databaseNames } from '../../glue/names.js'
import { arn, att, type Json, type Resources, ref, type Statement } from '../cfn.js'
import { type Context, IDS, objects } from '../context.js'
import { created, messages, rule } from './events.js'
import { catalogArns } from './glue.js'
import { functionStatements, keyStatements, queueStatements, role } from './iam.js'
import { lambdaFunction } from './lambda.js'
import { PROJECTION_TIMEOUT } from './sqs.js'

/**
 * Each commit of the log is an object, of which S3 tells: then the projection advances Glue's
 * catalog to it. It reads tables' metadata and manifests of batches, and writes nothing but the
 * catalog and what it keeps in `_moraine/`.
 */
export function projection(context: Context): Resources {
  const name = 'project'
  return {
    ...role(context, 'ProjectionRole', {
      name,
      principal: 'lambda.amazonaws.com',
      statements: statements(context),
    }),
    ProjectionFunction: lambdaFunction(context, {
      name,
      description: `Advances the catalog of Glue to the log of the lake ${context.lake.name}`,
      handler: 'project',
      role: 'ProjectionRole',
      memory: 1024,
      disk: 1024,
      timeout: PROJECTION_TIMEOUT,
    }),
    ProjectionRule: rule(context, {
      name,
      pattern: created(ref(IDS.bucket), '_moraine/log/main/'),
      queue: 'ProjectionQueue',
    }),
    ProjectionMessages: messages('ProjectionQueue', 'ProjectionFunction'),
  }
}

function statements(context: Context): Statement[] {
  const allow = (Sid: string, Action: string[], Resource: Json): Statement => ({
    Sid,
    Effect: 'Allow',
    Action,
    Resource,
  })
  const glue = (...actions: string[]) => actions.map((action) => `glue:${action}`)
  const names = Object.values(databaseNames(context.lake))
  return [
    allow('List', ['s3:ListBucket'], att(IDS.bucket)),
    allow(
      'Read',
      ['s3:GetObject'],
      [
        objects('_moraine/*'),
        objects('bronze/*'),
        ...['silver', 'gold', 'discarded', 'history'].map((tier) =>
          objects(`${tier}/*/metadata/*`),
        ),
      ],
    ),
    // Readers say that they are at work, and find out what the storage can.
    allow(
      'Live',
      ['s3:PutObject', 's3:DeleteObject'],
      [objects('_moraine/live/*'), objects('_moraine/probe/*')],
    ),
    allow('Checkpoint', ['s3:PutObject'], [objects('_moraine/checkpoints/*')]),
    ...keyStatements(context, ['kms:Decrypt', 'kms:GenerateDataKey']),
    allow(
      'Catalog',
      glue(
        'GetDatabase',
        'GetTable',
        'GetTables',
        'CreateTable',
        'UpdateTable',
        'DeleteTable',
        'GetPartitions',
        'BatchCreatePartition',
        'CreatePartition',
        'DeletePartition',
        'BatchDeletePartition',
      ),
      catalogArns(context),
    ),
    allow('Databases', glue('CreateDatabase'), [
      arn('glue', 'catalog'),
      ...names.map((name) => arn('glue', `database/${name}`)),
    ]),
    ...functionStatements(context),
    ...queueStatements('ProjectionQueue'),
  ]
}
