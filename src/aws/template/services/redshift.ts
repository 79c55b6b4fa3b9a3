import { att, type Json, type Resources, ref, retained, type Statement } from '../cfn.js'
import { type Context, databasesOf, IDS, keyArn, objects, tagsOf } from '../context.js'
import { placesOfCopies } from '../jobs/rights.js'
import { LIMITS, nameFor } from '../names.js'
import { catalogArns } from './glue.js'
import { keyStatements, listSources, listStatement, role, s3Arn } from './iam.js'

/** Redshift Serverless, which reads gold where it lies and loads what `exports` says. */
export function redshift(context: Context): Resources {
  const { deploy, prefix } = context
  if (!deploy.redshift) return {}
  const { subnets, securityGroups, capacity = 8 } = deploy.redshift
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
    WarehouseGroup: {
      Type: 'AWS::RedshiftServerless::Workgroup',
      Properties: {
        WorkgroupName: nameFor(prefix, 'warehouse', LIMITS.schedule),
        NamespaceName: ref('Warehouse'),
        BaseCapacity: capacity,
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
    ...listSources(places),
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
      principal: 'redshift.amazonaws.com',
      statements: [
        allow('Place', ['s3:GetBucketLocation'], att(IDS.bucket)),
        listStatement(['gold/']),
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
