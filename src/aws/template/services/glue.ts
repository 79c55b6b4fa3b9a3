import type { Gold, Silver } from '../../../define/model.js'
import { ruleset } from '../../glue/dqdl.js'
import { layers } from '../../glue/names.js'
import { account, arn, type Json, type Resource, type Resources } from '../cfn.js'
import { type Context, databasesOf } from '../context.js'
import { idFor, nameFor } from '../names.js'
import { crawlers } from './crawlers.js'

/**
 * What is beside Glue's databases, where it is asked for: crawlers, rules of Data Quality, and
 * connections whose passwords stay in Secrets Manager. The databases are made by whoever shows the
 * lake there first: a stack could not take over those that are there already.
 */
export function glue(context: Context): Resources {
  const { deploy } = context
  return {
    ...(deploy.crawlers ? crawlers(context) : {}),
    ...(deploy.quality ? rulesets(context) : {}),
    ...connections(context),
  }
}

/** ARNs of the catalog, the databases of layers, and all that is in them. */
export function catalogArns(context: Context, of: readonly string[] = layers): Json[] {
  const names = databasesOf(context)
  return [
    arn('glue', 'catalog'),
    ...of.flatMap((layer) => {
      const database = names[layer as keyof typeof names]
      return [arn('glue', `database/${database}`), arn('glue', `table/${database}/*`)]
    }),
  ]
}

/** The rules that Glue Data Quality checks just as a run does. */
function rulesets(context: Context): Resources {
  const names = databasesOf(context)
  const built = context.lake.datasets.filter(
    (one): one is Silver<any> | Gold<any> => one.tier !== 'bronze',
  )
  return Object.fromEntries(
    built.flatMap((dataset): [string, Resource][] => {
      const found = ruleset(dataset)
      if (!found || found.rules.length === 0 || (dataset.tier === 'gold' && dataset.view)) return []
      const name = `${dataset.tier}.${dataset.name}`
      return [
        [
          `${idFor(name)}Quality`,
          {
            Type: 'AWS::Glue::DataQualityRuleset',
            Properties: {
              Name: nameFor(context.prefix, name, 255),
              Description: `What ${name} promises`,
              Ruleset: found.text,
              TargetTable: {
                DatabaseName: names[dataset.tier],
                TableName: dataset.name.toLowerCase(),
              },
            },
          },
        ],
      ]
    }),
  )
}

/** Databases that Glue reaches in a network; who it is there, a secret says. */
function connections(context: Context): Resources {
  return Object.fromEntries(
    Object.entries(context.deploy.connections ?? {}).map(([name, of]): [string, Resource] => [
      `${idFor(name)}Connection`,
      {
        Type: 'AWS::Glue::Connection',
        Metadata: { 'cfn-lint': { config: { ignore_checks: ['W3010'] } } },
        Properties: {
          CatalogId: account,
          ConnectionInput: {
            Name: nameFor(context.prefix, name, 255),
            ConnectionType: 'JDBC',
            ConnectionProperties: {
              JDBC_CONNECTION_URL: of.url,
              JDBC_ENFORCE_SSL: 'true',
              SECRET_ID: of.secret,
            },
            PhysicalConnectionRequirements: {
              SubnetId: of.subnet,
              SecurityGroupIdList: of.securityGroups,
              AvailabilityZone: of.zone,
            },
          },
        },
      },
    ]),
  )
}
