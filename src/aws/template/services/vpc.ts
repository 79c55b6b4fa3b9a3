import { account, join, policy, type Resource, type Resources, region } from '../cfn.js'
import type { Context } from '../context.js'
import { idFor, nameFor } from '../names.js'

/** Services that functions call: S3 by a gateway, which costs nothing, others by interfaces. */
const SERVICES = ['athena', 'glue', 'kms', 'logs', 'secretsmanager', 'sqs', 'sts', 'xray']

/** What jobs of Glue are put into the network by. */
export const NETWORK = 'GlueNetwork'

/** The connection's name; names of users' own have no capitals. */
export const networkName = ({ prefix }: Context) => nameFor(prefix, 'Network', 255)

/** Whether jobs of Glue are in a network. */
export const isGlueInNetwork = ({ deploy }: Context): boolean =>
  deploy.glue !== undefined && deploy.vpc?.zone !== undefined

/** A connection that leads to no database: jobs of Glue that have it are in its network. */
function glueNetwork(context: Context): Resources {
  const { vpc } = context.deploy
  if (!vpc || !isGlueInNetwork(context)) return {}
  const connection: Resource = {
    Type: 'AWS::Glue::Connection',
    Metadata: { 'cfn-lint': { config: { ignore_checks: ['W3010'] } } },
    Properties: {
      CatalogId: account,
      ConnectionInput: {
        Name: networkName(context),
        ConnectionType: 'NETWORK',
        PhysicalConnectionRequirements: {
          SubnetId: vpc.subnets[0] as string,
          SecurityGroupIdList: vpc.securityGroups,
          AvailabilityZone: vpc.zone as string,
        },
      },
    },
  }
  return { [NETWORK]: connection }
}

/** Private ways from a network to the services that the lake uses. */
export function vpc(context: Context): Resources {
  return { ...endpointsOf(context), ...glueNetwork(context) }
}

function endpointsOf({ deploy }: Context): Resources {
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
