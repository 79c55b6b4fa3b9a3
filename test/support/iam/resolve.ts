import type { Deployment, Json, Resource } from '../../../src/aws/index.js'
import type { PolicyStatement } from './evaluate.js'

/** Where templates are made, so that references have values. */
export interface Place {
  readonly account: string
  readonly region: string
  /** Where queues are. */
  readonly url: string
}

/** All resources of a deployment by their ids, with values for references. */
export class Resolved {
  private readonly resources: Readonly<Record<string, Resource>>
  private readonly exports = new Map<string, Json>()

  constructor(
    { stacks }: Deployment,
    private readonly place: Place,
  ) {
    this.resources = Object.assign({}, ...stacks.map(({ template }) => template.Resources))
    for (const { template } of stacks)
      for (const output of Object.values(template.Outputs ?? {})) {
        const { Value, Export } = output as { Value: Json; Export: { Name: string } }
        this.exports.set(Export.Name, Value)
      }
  }

  /** Ids of resources of a type. */
  of(type: string): string[] {
    return Object.keys(this.resources).filter((id) => this.resources[id]?.Type === type)
  }

  /** Properties, as CloudFormation would have them. */
  properties(id: string): Record<string, any> {
    return this.value(this.resources[id]?.Properties as Json) as Record<string, any>
  }

  /** What a role's managed policies say. */
  statementsOf(role: string): PolicyStatement[] {
    const { ManagedPolicyArns } = (this.resources[role] as Resource).Properties as {
      ManagedPolicyArns: { Ref: string }[]
    }
    return ManagedPolicyArns.flatMap(({ Ref }) => this.properties(Ref).PolicyDocument.Statement)
  }

  /** The policy of a bucket or of queues. */
  statementsOfPolicy(id: string): PolicyStatement[] {
    return this.properties(id).PolicyDocument.Statement
  }

  arn(id: string): string {
    const { account, region } = this.place
    const { Type } = this.resources[id] as Resource
    const own = this.properties(id)
    const regional = (service: string, rest: string) =>
      `arn:aws:${service}:${region}:${account}:${rest}`
    if (Type === 'AWS::S3::Bucket') return `arn:aws:s3:::${own.BucketName}`
    if (Type === 'AWS::SQS::Queue') return regional('sqs', own.QueueName)
    if (Type === 'AWS::KMS::Key') return regional('kms', `key/${id}`)
    if (Type === 'AWS::Logs::LogGroup') return regional('logs', `log-group:${own.LogGroupName}:*`)
    if (Type === 'AWS::Lambda::Function') return regional('lambda', `function:${own.FunctionName}`)
    if (Type === 'AWS::IAM::Role') return `arn:aws:iam::${account}:role/${own.RoleName}`
    throw new Error(`no ARN of ${Type} is known here`)
  }

  private value(json: Json | undefined): Json | undefined {
    if (Array.isArray(json)) return json.map((one) => this.value(one) as Json)
    if (typeof json !== 'object' || json === null) return json
    const of = json as Record<string, any>
    if (typeof of.Ref === 'string') return this.reference(of.Ref)
    if (of['Fn::GetAtt']) return this.attribute(of['Fn::GetAtt'])
    if (of['Fn::ImportValue']) return this.value(this.exports.get(of['Fn::ImportValue']))
    if (of['Fn::Join'])
      return of['Fn::Join'][1].map((part: Json) => this.value(part)).join(of['Fn::Join'][0])
    return Object.fromEntries(Object.entries(of).map(([name, one]) => [name, this.value(one)]))
  }

  private reference(id: string): string {
    const { account, region, url } = this.place
    if (id === 'AWS::AccountId') return account
    if (id === 'AWS::Region') return region
    if (id === 'AWS::Partition') return 'aws'
    if (id === 'AWS::URLSuffix') return 'amazonaws.com'
    const { Type } = this.resources[id] ?? { Type: '' }
    const own = Type === 'AWS::S3::Bucket' || Type === 'AWS::SQS::Queue' ? this.properties(id) : {}
    if (Type === 'AWS::S3::Bucket') return own.BucketName
    if (Type === 'AWS::SQS::Queue') return `${url}/${account}/${own.QueueName}`
    return id
  }

  private attribute([id, name]: readonly [string, string]): string {
    if (name === 'Arn') return this.arn(id)
    if (name === 'QueueName') return this.properties(id).QueueName
    throw new Error(`${id}.${name} is not known here`)
  }
}
