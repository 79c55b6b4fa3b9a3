import { join } from 'node:path'
import {
  CloudFormationClient,
  CreateChangeSetCommand,
  CreateStackCommand,
  DescribeStacksCommand,
  ListChangeSetsCommand,
  ListExportsCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { GetQueueUrlCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { deployLake } from '../../src/aws/deploy/carry-out.js'
import { openDeployment } from '../../src/aws/deploy/lake-deployment.js'
import type { Stack } from '../../src/aws/deploy/plan/stack.js'
import { planFor, stacksFor } from '../../src/aws/deploy/plan-for.js'
import type { AwsDeploy } from '../../src/aws/options/aws.js'
import { packLambda } from '../../src/aws/package/pack-lambda.js'
import { loadLake } from '../../src/load/load.js'
import { deploy, deployKilled, lakeProject, smallLake, startDeploy } from '../support/deploying.js'
import { amount, sample } from '../support/effort.js'
import { waysAt } from '../support/kills.js'
import { type Ministack, ministackProgram, startMinistack } from '../support/ministack.js'
import type { Project } from '../support/project.js'
import { withService } from '../support/services.js'

/** A text on one line. */
const flat = (text: string) => text.replace(/\s+/g, ' ')

withService('MiniStack', [ministackProgram], () => {
  let cloud: Ministack
  let cloudFormation: CloudFormationClient
  let s3: S3Client
  beforeAll(async () => {
    cloud = await startMinistack()
    cloudFormation = new CloudFormationClient(cloud.client)
    s3 = new S3Client({ ...cloud.client, forcePathStyle: true })
  })
  afterAll(() => cloud?.stop())

  const statusOf = async (StackName: string) =>
    (await cloudFormation.send(new DescribeStacksCommand({ StackName }))).Stacks?.[0]?.StackStatus
  /** Change sets that nobody has carried out. */
  const leftOf = async (StackName: string) => {
    const { Summaries } = await cloudFormation.send(new ListChangeSetsCommand({ StackName }))
    return Summaries?.filter(({ ExecutionStatus }) => !ExecutionStatus?.startsWith('EXECUTE'))
  }
  const resourcesOf = async (StackName: string) =>
    (await cloudFormation.send(new ListStackResourcesCommand({ StackName })))
      .StackResourceSummaries ?? []
  const lakeBucket = (name: string) => `${name}-lake-${cloud.account}-us-east-1`
  const codeIn = async (Bucket: string) =>
    ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key)

  it('is deployed by one command, and a second one changes nothing', async () => {
    const project = await lakeProject('once')
    const first = await deploy(project, cloud)
    expect(first).toMatchObject({ code: 0 })
    expect(first.stdout).toContain('✔ Deployed once: once-base, once changed')
    expect(Math.max(...first.stdout.split('\n').map(({ length }) => length))).toBeLessThan(81)
    expect(await statusOf('once-base')).toBe('CREATE_COMPLETE')
    const second = await deploy(project, cloud)
    expect(flat(second.stdout)).toContain('no changes')
    // It has looked in the lake where the rows lie that roles have to reach.
    expect(flat(second.stdout)).not.toContain('could not be read')
    expect(await statusOf('once')).toBe('CREATE_COMPLETE')
    expect([await leftOf('once-base'), await leftOf('once')]).toEqual([[], []])
    expect(await codeIn(lakeBucket('once'))).toEqual([
      expect.stringMatching(/^_deploy\/code\/[0-9a-f]{64}\.zip$/),
    ])
  })

  it('changes nothing that nobody has agreed to', async () => {
    const project = await lakeProject('asked')
    const { code, stderr, stdout } = await deploy(project, cloud, [])
    expect(code).toBe(2)
    expect(stdout).toContain('+ asked-base: created with')
    expect(stderr).toContain('Nothing was changed')
    await expect(statusOf('asked-base')).rejects.toThrow('does not exist')
  })

  it('shows what a change means for data, access and resources, and makes it', async () => {
    const project = await lakeProject('changed')
    await deploy(project, cloud)
    const before = await codeIn(lakeBucket('changed'))
    const options = "region: 'us-east-1', functions: { memory: '1024MiB' }"
    const lake = smallLake('changed', options).replace('t.decimal(12, 2)', 't.decimal(12, 3)')
    await project.write({ 'lake.ts': lake })
    const { stdout } = await deploy(project, cloud, ['--diff'])
    expect(stdout).toContain("~ silver.orders: column 'amount' is now decimal(12,3)")
    expect(stdout).toContain('~ function BronzeOrdersFunction: MemorySize 2048 → 1024')
    expect((await deploy(project, cloud)).code).toBe(0)
    expect(await statusOf('changed')).toBe('UPDATE_COMPLETE')
    const after = await codeIn(lakeBucket('changed'))
    expect(after).toHaveLength(1)
    expect(after).not.toEqual(before)
    expect(flat((await deploy(project, cloud)).stdout)).toContain('no changes')
  })

  it('goes on with the next call, wherever it was ended', async () => {
    const counted = await deployKilled(await lakeProject('counted'), cloud)
    expect(counted).toMatchObject({ died: false, code: 0 })
    const points = Array.from({ length: counted.requests }, (_, i) => i + 1)
    const cases = waysAt(points, amount(1, 1, 10)).map((way) => {
      const [when, point] = way.split(':')
      return { when: when === 'before' ? 'before' : 'after', point: Number(point) } as const
    })
    for (const [n, at] of sample(cases, 3, 5).entries()) {
      const name = `killed-${n}`
      const project = await lakeProject(name)
      // How often it looks at what goes on depends on the cloud: one that is quicker ends before.
      await deployKilled(project, cloud, { ...at, by: 'SIGKILL' })
      expect(await deploy(project, cloud), `${at.when} request ${at.point}`).toMatchObject({
        code: 0,
      })
      expect(await statusOf(name)).toMatch(/^(CREATE|UPDATE)_COMPLETE$/)
      expect([await leftOf(`${name}-base`), await leftOf(name)]).toEqual([[], []])
      expect(flat((await deploy(project, cloud)).stdout)).toContain('no changes')
      expect(await codeIn(lakeBucket(name))).toHaveLength(1)
    }
  })

  it('stops at Ctrl-C with a word, and goes on with the next call', async () => {
    const project = await lakeProject('stopped')
    const { child, ended } = startDeploy(project.folder, cloud)
    child.stderr?.once('data', () => child.kill('SIGINT'))
    const { code, stderr } = await ended
    expect(code).toBe(1)
    expect(stderr).toContain('CloudFormation finishes what it has begun')
    expect((await deploy(project, cloud)).code).toBe(0)
    expect(await statusOf('stopped')).toBe('CREATE_COMPLETE')
  })

  /** Deploys a lake with a template that is changed for one stack, as a service may refuse it. */
  const deployWith = async (
    { folder }: Project,
    change: (stack: Stack) => Stack,
    content = 'c0de',
  ): Promise<void> => {
    for (const [name, value] of Object.entries(cloud.env)) vi.stubEnv(name, value)
    const lake = await loadLake(join(folder, 'lake.ts'))
    const opening = { lake, deploy: lake.deploy as AwsDeploy, folder }
    const there = await openDeployment(opening, { wait: true, drift: false })
    const stacks = stacksFor(there).map(change)
    const packed = {
      zip: (await packLambda({ file: join(folder, 'lake.ts'), lake }, { arch: 'x64' })).zip,
      content,
    }
    const plan = planFor(there, stacks, content)
    await deployLake(there, stacks, plan, { package: packed, revertDrift: false })
  }
  /** The same stack with other properties of one of its resources. */
  const withProperties = (stack: Stack, id: string, properties: object): Stack => {
    const { [id]: resource, ...others } = stack.template.Resources
    if (resource === undefined) return stack
    const changed = { ...resource, Properties: { ...resource.Properties, ...properties } }
    return { ...stack, template: { ...stack.template, Resources: { ...others, [id]: changed } } }
  }

  /** A stack that fails once its function was changed. */
  const withLostUrl = (stack: Stack): Stack => {
    if (stack.phase === 'base') return stack
    const { Resources } = stack.template
    const url = {
      Type: 'AWS::Lambda::Url',
      Properties: { TargetFunctionArn: 'arn:nowhere', AuthType: 'AWS_IAM' },
      DependsOn: ['BronzeOrdersFunction'],
    }
    return {
      ...stack,
      template: { ...stack.template, Resources: { ...Resources, BronzeOrdersUrl: url } },
    }
  }

  it('names what fails with its dataset, and goes on once that is mended', async () => {
    const project = await lakeProject('failing')
    const broken = deployWith(project, (stack) =>
      withProperties(stack, 'BronzeOrdersRole', {
        AssumeRolePolicyDocument: { Statement: [{ Effect: 'Allow', NotPrincipal: '*' }] },
      }),
    )
    await expect(broken).rejects.toThrow(
      /^Stack failing could not be created:\nbronze\.orders: role BronzeOrdersRole: /,
    )
    expect(await statusOf('failing')).toBe('ROLLBACK_COMPLETE')
    const { stdout } = await deploy(project, cloud, ['--diff'])
    expect(flat(stdout)).toContain('ROLLBACK_COMPLETE: removed first, as it was never completed')
    expect(await deploy(project, cloud)).toMatchObject({ code: 0 })
    expect(await statusOf('failing')).toBe('CREATE_COMPLETE')
  })

  it('completes a roll-back that failed, once its cause is gone', async () => {
    const project = await lakeProject('rolled')
    await deploy(project, cloud)
    const Bucket = lakeBucket('rolled')
    const [Key] = await codeIn(Bucket)
    const code = await s3.send(new GetObjectCommand({ Bucket, Key }))
    const Body = (await code.Body?.transformToByteArray()) ?? new Uint8Array()
    await s3.send(new DeleteObjectCommand({ Bucket, Key }))
    // The function has new code; what comes after it fails; and its old code is gone.
    const broken = deployWith(project, (stack) => withLostUrl(stack))
    await expect(broken).rejects.toThrow('bronze.orders: function URL BronzeOrdersUrl: ')
    expect(await statusOf('rolled')).toBe('UPDATE_ROLLBACK_FAILED')
    const options = "region: 'us-east-1', functions: { memory: '1024MiB' }"
    await project.write({ 'lake.ts': smallLake('rolled', options) })
    const { code: failed, stderr } = await deploy(project, cloud)
    expect(failed).toBe(1)
    expect(stderr).toContain('bronze.orders: function BronzeOrdersFunction: ')
    expect(stderr).toContain('--resources-to-skip BronzeOrdersFunction')
    await s3.send(new PutObjectCommand({ Bucket, Key, Body }))
    expect(await deploy(project, cloud)).toMatchObject({ code: 0 })
    expect(await statusOf('rolled')).toMatch(/^UPDATE_(ROLLBACK_)?COMPLETE$/)
    expect(flat((await deploy(project, cloud)).stdout)).toContain('no changes')
  })

  it('takes over a stack that was only planned', async () => {
    const project = await lakeProject('planned')
    await cloudFormation.send(
      new CreateChangeSetCommand({
        StackName: 'planned-base',
        ChangeSetName: 'moraine-left',
        ChangeSetType: 'CREATE',
        TemplateBody: JSON.stringify({ Resources: { Topic: { Type: 'AWS::SNS::Topic' } } }),
      }),
    )
    expect(await statusOf('planned-base')).toBe('REVIEW_IN_PROGRESS')
    expect(await deploy(project, cloud)).toMatchObject({ code: 0 })
    expect(await statusOf('planned-base')).toBe('CREATE_COMPLETE')
    expect(await leftOf('planned-base')).toEqual([])
  })

  it('never replaces what holds data', async () => {
    const project = await lakeProject('held')
    await deploy(project, cloud)
    const options = "region: 'us-east-1', bucket: 'another-bucket-of-held'"
    await project.write({ 'lake.ts': smallLake('held', options) })
    const { code, stdout } = await deploy(project, cloud)
    expect(code).toBe(2)
    expect(stdout).toContain('LakeBucket would be replaced by an empty bucket')
    expect(await statusOf('held-base')).toBe('CREATE_COMPLETE')
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
    expect(Buckets.map(({ Name }) => Name)).not.toContain('another-bucket-of-held')
  })

  it('shows what somebody changed by hand, and asks the cloud to put it back', async () => {
    const project = await lakeProject('drifted')
    await deploy(project, cloud)
    const sqs = new SQSClient(cloud.client)
    const QueueName = 'drifted-bronze-orders.fifo'
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }))
    const Attributes = { VisibilityTimeout: '7' }
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes }))
    const { stdout } = await deploy(project, cloud, ['--diff'])
    expect(stdout).toContain('! queue BronzeOrdersQueue was changed outside of Moraine')
    expect(flat(stdout)).toMatch(/VisibilityTimeout is 7, not/)
  })

  it('pauses jobs until they are resumed, whatever is deployed meanwhile', async () => {
    const project = await lakeProject('paused')
    await deploy(project, cloud)
    const paused = await deploy(project, cloud, ['--pause', 'bronze.orders', '--yes'])
    expect(paused.stdout).toContain('paused: bronze.orders')
    const options = "region: 'us-east-1', functions: { memory: '1024MiB' }"
    await project.write({ 'lake.ts': smallLake('paused', options) })
    expect((await deploy(project, cloud)).stdout).toContain('Paused\n  bronze.orders')
    const again = await deploy(project, cloud, ['--pause', '--yes'])
    expect(again.stdout).toContain('Nothing to do: all are paused')
    const resumed = await deploy(project, cloud, ['--resume', '--yes'])
    expect(resumed.stdout).toContain('resumed: bronze.orders')
    expect((await deploy(project, cloud, ['--diff'])).stdout).not.toContain('Paused')
    expect((await deploy(project, cloud, ['--pause', 'gold.x', '--yes'])).stderr).toContain(
      "No deployed job is named 'gold.x'",
    )
  })

  it('removes all but what holds data, and takes that over when it is deployed again', async () => {
    const project = await lakeProject('removed')
    await deploy(project, cloud)
    const Bucket = lakeBucket('removed')
    await s3.send(new PutObjectCommand({ Bucket, Key: 'silver/orders/data/a', Body: 'rows' }))
    const { stdout } = await deploy(project, cloud, ['--destroy', '--yes'])
    expect(stdout).toContain('✔ Removed removed; the data are kept')
    expect(stdout).toContain(`bucket ${Bucket}`)
    expect(flat(stdout)).toMatch(/key \S+: \$1\.00 a month/)
    await expect(statusOf('removed')).rejects.toThrow('does not exist')
    expect(await codeIn(Bucket)).toEqual(['silver/orders/data/a'])
    const keys = async () =>
      (await resourcesOf('removed-base')).map((one) => one.PhysicalResourceId)
    const kept = await keys()
    expect((await deploy(project, cloud, ['--destroy', '--yes'])).stdout).toContain(
      'Nothing to remove',
    )
    expect(await deploy(project, cloud)).toMatchObject({ code: 0 })
    expect(await keys()).toEqual(kept)
    expect(await codeIn(Bucket)).toContain('silver/orders/data/a')
  })

  it('empties a stack that no job needs any more', async () => {
    const project = await lakeProject('fewer')
    await deploy(project, cloud)
    const { Exports = [] } = await cloudFormation.send(new ListExportsCommand({}))
    const imported = Exports.find(({ Name }) => Name?.startsWith('fewer-base-'))?.Name
    const old = {
      Type: 'AWS::SQS::Queue',
      Properties: {
        QueueName: 'fewer-bronze-old',
        Tags: [{ Key: 'x', Value: { 'Fn::ImportValue': imported } }],
      },
    }
    const TemplateBody = JSON.stringify({ Resources: { BronzeOldQueue: old } })
    await cloudFormation.send(new CreateStackCommand({ StackName: 'fewer-2', TemplateBody }))
    await vi.waitFor(async () => expect(await statusOf('fewer-2')).toBe('CREATE_COMPLETE'), 30_000)
    const { stdout, stderr } = await deploy(project, cloud)
    expect(stderr).not.toContain('✖')
    expect(flat(stdout)).toContain('Deployed fewer: fewer-2 changed')
    const left = await resourcesOf('fewer-2')
    expect(left.map(({ LogicalResourceId }) => LogicalResourceId)).toEqual(['Nothing'])
    expect(flat((await deploy(project, cloud)).stdout)).toContain('no changes')
    await deploy(project, cloud, ['--destroy', '--yes'])
    await expect(statusOf('fewer-2')).rejects.toThrow('does not exist')
  })

  it('leaves lakes alone whose names begin with its own', async () => {
    const [project, other] = [await lakeProject('pair'), await lakeProject('pair-2')]
    for (const one of [project, other]) expect(await deploy(one, cloud)).toMatchObject({ code: 0 })
    const paused = await deploy(project, cloud, ['--pause', '--yes'])
    expect(paused.code, paused.stderr).toBe(0)
    const same = await deploy(other, cloud, ['--diff'])
    expect(flat(same.stdout)).not.toContain('aused')
    const removed = await deploy(project, cloud, ['--destroy', '--yes'])
    expect(removed.stdout).toContain('✔ Removed pair; the data are kept')
    await expect(statusOf('pair')).rejects.toThrow('does not exist')
    expect(await statusOf('pair-2')).toBe('CREATE_COMPLETE')
  })

  it('compares with the last deployment from its folder where nobody can be asked', async () => {
    const project = await lakeProject('offline')
    const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', HOME: project.folder }
    // An address at which nobody answers: nothing is asked.
    const nowhere = { url: 'http://127.0.0.1:9' }
    const before = await deploy(project, nowhere, ['--diff'], none)
    expect(flat(before.stdout)).toContain('the lake was not deployed from this folder')
    await deploy(project, cloud)
    const same = await deploy(project, nowhere, ['--diff'], none)
    expect(same).toMatchObject({ code: 0 })
    expect(flat(same.stdout)).toContain(`account ${cloud.account} on `)
    expect(flat(same.stdout)).toContain('no changes')
    const refused = await deploy(project, cloud, ['--yes'], none)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('no credentials of AWS were found')
  })

  it('says of an inbox elsewhere that no file will start anything there, until its bucket tells', async () => {
    const Bucket = 'drop-of-others'
    await s3.send(new CreateBucketCommand({ Bucket }))
    const project = await lakeProject('hearing')
    const source = smallLake('hearing').replace(
      'inbox({ format',
      `inbox({ path: 's3://${Bucket}/in', format`,
    )
    await project.write({ 'lake.ts': source })
    const told =
      'bronze.orders: the bucket drop-of-others does not send its events to EventBridge, so files in s3://drop-of-others/in start nothing'
    const diff = async () => flat((await deploy(project, cloud, ['--diff', '--no-drift'])).stdout)
    expect(await diff()).toContain(told)
    const NotificationConfiguration = { EventBridgeConfiguration: {} }
    await s3.send(
      new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }),
    )
    expect(await diff()).not.toContain('bronze.orders: the bucket')
  })

  it('is refused in another region or account than the definition says', async () => {
    const project = await lakeProject('elsewhere', "region: 'eu-central-1'")
    const region = await deploy(project, cloud)
    expect(region.code).toBe(2)
    expect(region.stderr).toContain('AWS_REGION is us-east-1, but lake.ts deploys to')
    const options = "region: 'us-east-1', account: '123456789012'"
    await project.write({ 'lake.ts': smallLake('elsewhere', options) })
    const account = await deploy(project, cloud)
    expect(account.code).toBe(2)
    expect(account.stderr).toContain(
      `The credentials are for account ${cloud.account}, but lake.ts deploys to account 123456789012`,
    )
    await expect(statusOf('elsewhere-base')).rejects.toThrow('does not exist')
  })
})
