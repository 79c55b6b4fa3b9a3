import { account, join, policy, type Resource, type Resources, region } from '../cfn.js'
import type { Context } from '../context.js'
import { idFor } from '../names.js'

/** Services that functions call: S3 by a gateway, which costs nothing, others by interfaces. */
const SERVICES = ['athena', 'glue', 'kms', 'logs', 'secretsmanager', 'sqs', 'sts', 'xray']

/** Private ways from a network to the services that the lake uses. */
export function vpc({ deploy }: Context): Resources {
  const { endpoints, subnets, securityGroups } = deploy.vpc ?? {}
  if (!endpoints) return {}
  const own = policy([
    {
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: '*',
      Resource: '*',
      // Nobody takes data to an account of their own by it.
      Condition: { StringEquals: { 'aws:PrincipalAccount': account } },
    },
  ])
  const gateway: Resource = {
    Type: 'AWS::EC2::VPCEndpoint',
    Properties: {
      VpcId: endpoints.vpc,
      VpcEndpointType: 'Gateway',
      ServiceName: join('com.amazonaws.', region, '.s3'),
      RouteTableIds: endpoints.routeTables,
      PolicyDocument: own,
    },
  }
  const interfaces = SERVICES.map((name): [string, Resource] => [
    `${idFor(name)}Endpoint`,
    {
      Type: 'AWS::EC2::VPCEndpoint',
      Properties: {
        VpcId: endpoints.vpc,
        VpcEndpointType: 'Interface',
        ServiceName: join('com.amazonaws.', region, `.${name}`),
        PrivateDnsEnabled: true,
        SubnetIds: subnets,
        SecurityGroupIds: securityGroups,
        PolicyDocument: own,
      },
    },
  ])
  return { S3Endpoint: gateway, ...Object.fromEntries(interfaces) }
}
