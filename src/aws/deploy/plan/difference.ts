import { asSets, canonical, type OwnerOf, type Resource, type Template } from './stack.js'

/** How a resource differs between two templates. */
export interface ResourceChange {
  /** Its name in the template. */
  id: string
  type: string
  action: 'add' | 'change' | 'replace' | 'remove'
  /** The properties that differ, by path: `VersioningConfiguration.Status`. */
  properties: PropertyChange[]
  /** What of the lake it is for, such as `bronze.orders`, where it is for a part of it. */
  of: string | undefined
  /** It stays in the account when it leaves the stack. */
  retained: boolean
}

export interface PropertyChange {
  path: string
  before: unknown
  after: unknown
}

/** Compares the resources of two templates, by name. */
export function differences(
  before: Template | undefined,
  after: Template,
  ownerOf: OwnerOf = () => undefined,
): ResourceChange[] {
  const old = before?.Resources ?? {}
  const ids = [...new Set([...Object.keys(old), ...Object.keys(after.Resources)])].sort()
  return ids.flatMap((id) => {
    const change = changeOf(id, old[id], after.Resources[id])
    return change === undefined ? [] : [{ ...change, of: ownerOf(id) }]
  })
}

function changeOf(
  id: string,
  before: Resource | undefined,
  after: Resource | undefined,
): Omit<ResourceChange, 'of'> | undefined {
  const either = (after ?? before) as Resource
  const common = {
    id,
    type: either.Type,
    retained: (before ?? either).DeletionPolicy?.startsWith('Retain') ?? false,
  }
  if (before === undefined) return { ...common, action: 'add', properties: [] }
  if (after === undefined) return { ...common, action: 'remove', properties: [] }
  const properties = [
    ...propertiesThatDiffer(withSets(before), withSets(after)),
    ...attributes
      .filter((name) => canonical(before[name]) !== canonical(after[name]))
      .map((name) => ({ path: name, before: before[name], after: after[name] })),
  ]
  if (before.Type !== after.Type)
    return {
      ...common,
      action: 'replace',
      properties: [{ path: 'Type', before: before.Type, after: after.Type }, ...properties],
    }
  if (properties.length === 0) return undefined
  const fixed = replacing[after.Type] ?? []
  const isFixed = ({ path }: PropertyChange) => fixed.includes(path.split('.')[0] as string)
  return { ...common, action: properties.some(isFixed) ? 'replace' : 'change', properties }
}

/** Properties whose lists are sets, beside those of policies. */
const SETS = [
  ...['PolicyDocument', 'AssumeRolePolicyDocument', 'KeyPolicy', 'Policies', 'ManagedPolicyArns'],
  ...['Tags', 'VpcConfig', 'SubnetIds', 'SecurityGroupIds', 'RouteTableIds'],
]

/** The properties of a resource, with sets in one order. */
const withSets = ({ Properties = {} }: Resource) =>
  Object.fromEntries(
    Object.entries(Properties).map(([name, value]) => [
      name,
      SETS.includes(name) ? asSets(value) : value,
    ]),
  )

const attributes = ['DeletionPolicy', 'UpdateReplacePolicy'] as const

/** The paths at which two values differ, as deep as they are both objects. */
function propertiesThatDiffer(before: unknown, after: unknown, path = ''): PropertyChange[] {
  if (canonical(before) === canonical(after)) return []
  if (!isRecord(before) || !isRecord(after) || isCall(before) || isCall(after))
    return [{ path, before, after }]
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return names.flatMap((name) =>
    propertiesThatDiffer(before[name], after[name], path === '' ? name : `${path}.${name}`),
  )
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A function of CloudFormation is one value, whatever is in it. */
const isCall = (value: Record<string, unknown>) =>
  Object.keys(value).some((name) => name === 'Ref' || name.startsWith('Fn::'))

/**
 * Properties whose change makes CloudFormation create another resource and delete this one; "Update
 * requires: Replacement" in the resource types' references,
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/. What this list misses is
 * seen in the change set.
 */
const replacing: Readonly<Record<string, readonly string[]>> = {
  'AWS::S3::Bucket': ['BucketName', 'ObjectLockEnabled'],
  'AWS::S3::BucketPolicy': ['Bucket'],
  'AWS::KMS::Key': ['KeySpec', 'Origin', 'MultiRegion'],
  'AWS::KMS::Alias': ['AliasName'],
  'AWS::SQS::Queue': ['QueueName', 'FifoQueue'],
  'AWS::Lambda::Function': ['FunctionName', 'PackageType'],
  'AWS::Lambda::EventSourceMapping': ['EventSourceArn'],
  'AWS::Lambda::Permission': ['Action', 'FunctionName', 'Principal', 'SourceAccount', 'SourceArn'],
  'AWS::Lambda::Url': ['Qualifier', 'TargetFunctionArn'],
  'AWS::IAM::Role': ['RoleName', 'Path'],
  'AWS::IAM::ManagedPolicy': ['ManagedPolicyName', 'Path', 'Description'],
  'AWS::Events::Rule': ['Name', 'EventBusName'],
  'AWS::Scheduler::Schedule': ['Name', 'GroupName'],
  'AWS::Scheduler::ScheduleGroup': ['Name'],
  'AWS::Glue::Database': ['DatabaseName', 'CatalogId'],
  'AWS::Glue::Job': ['Name'],
  'AWS::Athena::WorkGroup': ['Name'],
  'AWS::Athena::NamedQuery': ['Name', 'Database', 'QueryString', 'WorkGroup', 'Description'],
  'AWS::Logs::LogGroup': ['LogGroupName'],
  'AWS::CloudWatch::Alarm': ['AlarmName'],
  'AWS::CloudTrail::Trail': ['TrailName'],
  'AWS::SNS::Topic': ['TopicName', 'FifoTopic'],
  'AWS::RedshiftServerless::Namespace': ['NamespaceName'],
  'AWS::RedshiftServerless::Workgroup': ['NamespaceName', 'WorkgroupName'],
  'AWS::EC2::VPCEndpoint': ['ServiceName', 'VpcId', 'VpcEndpointType'],
  'AWS::EC2::SecurityGroup': ['GroupName', 'GroupDescription', 'VpcId'],
}
