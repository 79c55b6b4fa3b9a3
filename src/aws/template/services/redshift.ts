import { databaseNames } from '../../glue/names.js'
import { att, type Json, type Resources, ref, retained } from '../cfn.js'
import { type Context, IDS, keyArn, objects, tagsOf } from '../context.js'
import { LIMITS, nameFor } from '../names.js'
import { catalogArns } from './glue.js'
import { keyStatements, role } from './iam.js'

/** Redshift Serverless, which reads gold where it lies and loads what `exports` says. */
export function redshift(context: Context): Resources {
  const { deploy, prefix } = context
  if (!deploy.redshift) return {}
  const { subnets, securityGroups, capacity = 8 } = deploy.redshift
  const key = keyArn(context)
  const gold = databaseNames(context.lake).gold
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
        allow('List', ['s3:ListBucket', 's3:GetBucketLocation'], att(IDS.bucket)),
        allow('Read', ['s3:GetObject'], [objects('gold/*'), objects('exports/*')]),
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
