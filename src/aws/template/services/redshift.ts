import { MOST_CAPACITY } from '../../options/network.js'
import { att, type Json, type Resources, ref, retained, type Statement, service } from '../cfn.js'
import { type Context, databasesOf, IDS, keyArn, objects, tagsOf } from '../context.js'
import { placesOfCopies } from '../jobs/rights.js'
import { LIMITS, nameFor } from '../names.js'
import { catalogArns } from './glue.js'
import { keyStatements, listOnly, listSources, role, s3Arn } from './iam.js'

/**
 * What Redshift Serverless holds: it is made with what holds data, and stays when the rest goes.
 */
export function warehouse(context: Context): Resources {
  const { deploy, prefix } = context
  if (!deploy.redshift) return {}
  const key = keyArn(context)
  const { gold } = databasesOf(context)
  return {
    ...warehouseRole(context),
    Warehouse: retained({
      Type: 'AWS::RedshiftServerless::Namespace',
      Properties: {
        NamespaceName: nameFor(prefix, 'warehouse', LIMITS.schedule),
        DbName: gold,
        AdminUsername: 'moraine',
        // Its password is made and turned over in Secrets Manager, and seen by nobody.
        ManageAdminPassword: true,
        ...(key === undefined ? {} : { KmsKeyId: key, AdminPasswordSecretKmsKeyId: key }),
        IamRoles: [att('RedshiftRole')],
        DefaultIamRoleArn: att('RedshiftRole'),
        LogExports: ['userlog', 'connectionlog', 'useractivitylog'],
        Tags: tagsOf(context),
      },
    }),
  }
}

/** How many times its base capacity a warehouse takes at most, unless it is said. */
const SURGE = 4

/** What computes in it, and is paid for by the second while it does. */
export function redshift(context: Context): Resources {
  const { deploy, prefix } = context
  if (!deploy.redshift) return {}
  const { subnets, securityGroups, capacity = 8 } = deploy.redshift
  return {
    WarehouseGroup: {
      Type: 'AWS::RedshiftServerless::Workgroup',
      Properties: {
        WorkgroupName: nameFor(prefix, 'warehouse', LIMITS.schedule),
        NamespaceName: ref('Warehouse'),
        BaseCapacity: capacity,
        // Otherwise Redshift takes as much as its service has.
        MaxCapacity: deploy.redshift.maxCapacity ?? Math.min(SURGE * capacity, MOST_CAPACITY),
        PubliclyAccessible: false,
        EnhancedVpcRouting: true,
        SubnetIds: subnets,
        SecurityGroupIds: securityGroups,
        ConfigParameters: [{ ParameterKey: 'require_ssl', ParameterValue: 'true' }],
        Tags: tagsOf(context),
      },
    },
  }
}

/** Places by way of which exports hand rows to it. */
function copied({ lake }: Context): Statement[] {
  const places = placesOfCopies(lake)
  if (places.length === 0) return []
  return [
    ...listSources(places, false),
    {
      ...{ Sid: 'Copied', Effect: 'Allow', Action: ['s3:GetObject'] },
      Resource: [...new Set(places)].map((place) => s3Arn(`${place.slice('s3://'.length)}*`)),
    },
  ]
}

function warehouseRole(context: Context): Resources {
  const allow = (Sid: string, Action: string[], Resource: Json) => ({
    Sid,
    Effect: 'Allow' as const,
    Action,
    Resource,
  })
  return {
    ...role(context, 'RedshiftRole', {
      name: 'redshift',
      // Serverless needs both: "Granting permissions to Amazon Redshift Serverless".
      principal: service(['redshift-serverless.amazonaws.com', 'redshift.amazonaws.com']),
      statements: [
        allow('Place', ['s3:GetBucketLocation'], att(IDS.bucket)),
        listOnly(['gold/']),
        allow('Read', ['s3:GetObject'], objects('gold/*')),
        ...copied(context),
        allow(
          'Tables',
          [
            'glue:GetDatabase',
            'glue:GetDatabases',
            'glue:GetTable',
            'glue:GetTables',
            'glue:GetPartitions',
          ],
          catalogArns(context, ['gold']),
        ),
        ...keyStatements(context, ['kms:Decrypt']),
      ],
    }),
  }
}
