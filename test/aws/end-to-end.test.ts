import { setTimeout as sleep } from 'node:timers/promises'
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { expect, it, onTestFinished } from 'vitest'
import { deploy } from '../support/deploying.js'
import { amount } from '../support/effort.js'
import { ownArch } from '../support/function.js'
import { type Ministack, ministackProgram, startMinistack } from '../support/ministack.js'
import { childrenOf } from '../support/processes.js'
import { moraine, type Outcome, Project } from '../support/project.js'
import { withService } from '../support/services.js'

/** Orders that arrive as files, and prices that a schedule looks for. */
const lake = (memory: string) => `
import { bronze, defineLake, every, gold, silver, sql, t, z } from 'moraine'
import { aws } from 'moraine/aws'
import { files, inbox } from 'moraine/sources'

const landed = bronze('orders', {
  from: inbox({ format: 'jsonl', columns: ['id', 'version', 'amount'] }),
  archive: true,
})
const orders = silver('orders', {
  from: landed,
  schema: z.object({ id: t.bigint(), version: t.bigint(), amount: t.decimal(12, 2).min(0) }),
  key: 'id',
  cursor: 'version',
})
const total = gold('total', {
  query: sql\`select count(*) as orders, sum(amount) as amount from \${orders}\`,
})
const prices = bronze('prices', {
  from: files('s3://events-lake-000000000000-us-east-1/prices/*.csv'),
  schedule: every('1m'),
})
const priced = silver('prices', {
  from: prices,
  schema: z.object({ item: z.string(), price: t.decimal(12, 2) }),
  key: 'item',
})

export default defineLake({
  name: 'events',
  datasets: [total, priced],
  deploy: aws({
    region: 'us-east-1',
    architecture: '${ownArch}',
    functions: { memory: '${memory}', timeout: '60s' },
  }),
})
`
const Bucket = 'events-lake-000000000000-us-east-1'
const ROWS = 40
/*
 * What the kills are: each ends one process of a function, the one that has been there longest of
 * all that the emulator has, at work or waiting for messages, of the job's or of the projection's.
 * So they are kills of workers at times that the load gives, not at points of the work; those are
 * in test/faults. A sample has 10 files and 2 kills, CI 20 and 4, the full run 200 and 100. All
 * have duplicates (each fourth file), one that cannot be read, older versions after newer ones, a
 * second consumer that takes what arrives, a redeployment in the middle, and a schedule; then every
 * row is counted once, `verify` passes, and no dead letter is left.
 */

/** Kills that a message may meet, fewer than it is received. */
const MOST_KILLS = 3

/** A hundred kills take an hour. */
const timeout = amount(1_200_000, 1_200_000, 10_800_000)

withService('MiniStack', [ministackProgram], () => {
  it('counts every row once, whatever becomes of files, messages and functions', {
    timeout,
  }, async () => {
    const cloud = await startMinistack()
    onTestFinished(cloud.stop)
    const s3 = new S3Client({ ...cloud.client, forcePathStyle: true })
    const project = await Project.create({ 'lake.ts': lake('2048MiB') })
    expect(await deploy(project, cloud)).toMatchObject({ code: 0 })
    const queues = await queuesOf(cloud)
    await queues.retrySoon()
    const put = (Key: string, Body: string | Buffer) =>
      s3.send(new PutObjectCommand({ Bucket, Key, Body }))

    await put('prices/today.csv', 'item,price\na,1.50\nb,2.50\n')
    const at = ['-C', project.folder, '--root', `s3://${Bucket}`]
    const others = new Consumers(() => moraine([...at, 'run', '+gold.total'], cloud.env))
    const files = amount(10, 20, 200)
    const kills = amount(2, 4, 100)
    let killed = 0
    for (let n = files - 1; n >= 0; n--) {
      // Newer versions of some orders come before older ones.
      await put(`bronze/landing/orders/${n}.jsonl`, orders(n))
      // What arrives twice has the same rows.
      if (n % 4 === 0) await put(`bronze/landing/orders/again-${n}.jsonl`, orders(n))
      if (n === files >> 1)
        await put('bronze/landing/orders/poison.jsonl.gz', Buffer.from('no gzip'))
      if (n % Math.floor(files / kills) !== 0) continue
      // Somebody else takes what arrives, too.
      others.begin()
      await killWorker(cloud)
      // A message whose function is killed each time is put aside in the end, as it should be.
      if (++killed % MOST_KILLS === 0) while ((await queues.waiting()) > 0) await sleep(500)
    }
    // A deployment does not wait for what is under way.
    await project.write({ 'lake.ts': lake('1792MiB') })
    expect(await deploy(project, cloud, ['--yes', '--no-drift'])).toMatchObject({ code: 0 })
    await queues.retrySoon()

    const landing = async () =>
      (await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'bronze/landing/orders/' })))
        .Contents ?? []
    while ((await landing()).length > 0 || (await queues.waiting()) > 0) await sleep(500)
    // Of two that were at the same, one may have been quicker.
    for (const { code, stdout, stderr } of await others.ended())
      if (code !== 0) expect(stdout + stderr).toMatch(/Another run was faster/)
    const ask = async (...args: string[]) => {
      const { code, stdout, stderr } = await moraine([...at, ...args], cloud.env)
      expect({ code, stderr }, args.join(' ')).toMatchObject({ code: 0 })
      return stdout
    }
    const rows = async (sql: string) => JSON.parse(await ask('query', sql, '--json'))
    expect(await rows('select * from gold.total')).toEqual(total(files))
    expect(
      await rows('select count(*) as rows, count(distinct id) as ids from silver.orders'),
    ).toEqual([{ rows: files * ROWS, ids: files * ROWS }])
    expect(await rows('select min(version) as least from silver.orders where id % 2 = 0')).toEqual([
      { least: 2 },
    ])
    // What nobody can read is a discarded row with its reason, and holds nothing back.
    expect(await ask('discarded', 'silver.orders')).toContain('poison.jsonl.gz')
    await ask('verify')
    expect(await queues.dead()).toEqual([0, 0])

    // The schedule: nobody but the clock starts this job.
    const sum = 'select sum(price) as p from silver.prices'
    const scheduled = () => moraine([...at, 'query', sum, '--json'], cloud.env)
    let found = await scheduled()
    while (found.code !== 0) {
      await sleep(1000)
      found = await scheduled()
    }
    expect(JSON.parse(found.stdout)).toEqual([{ p: '4.00' }])
  })
})

/** Orders of a file: odd ones once, even ones in two versions, of which the newer comes first. */
function orders(file: number): string {
  const lines = Array.from({ length: ROWS }, (_, i) => {
    const id = file * ROWS + i
    const older = { id, version: 1, amount: '1.00' }
    return id % 2 === 0 ? [{ id, version: 2, amount: '2.00' }, older] : [older]
  })
  return `${lines
    .flat()
    .map((row) => JSON.stringify(row))
    .join('\n')}\n`
}

const total = (files: number) => {
  const count = files * ROWS
  return [{ orders: count, amount: ((count / 2) * 3).toFixed(2) }]
}

/** A second consumer of what arrives: one run after the other, as often as there is none. */
class Consumers {
  private readonly outcomes: Outcome[] = []
  private running: Promise<void> | undefined

  constructor(private readonly run: () => Promise<Outcome>) {}

  begin(): void {
    this.running ??= this.run().then((outcome) => {
      this.outcomes.push(outcome)
      this.running = undefined
    })
  }

  async ended(): Promise<readonly Outcome[]> {
    await this.running
    return this.outcomes
  }
}

/** Ends a process that runs a function; the cloud's process lives on. */
async function killWorker(cloud: Ministack): Promise<void> {
  for (;;) {
    const [worker] = childrenOf(cloud.pid)
    if (worker !== undefined) {
      process.kill(worker, 'SIGKILL')
      return
    }
    await sleep(50)
  }
}

async function queuesOf(cloud: Ministack) {
  const sqs = new SQSClient(cloud.client)
  const url = async (QueueName: string) =>
    (await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl
  const own = [await url('events-bronze-orders.fifo'), await url('events-bronze-prices.fifo')]
  const dead = [await url('events-dead'), await url('events-dead.fifo')]
  const count = async (QueueUrl: string | undefined) => {
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    )
    const { ApproximateNumberOfMessages: a, ApproximateNumberOfMessagesNotVisible: b } = Attributes
    return Number(a) + Number(b)
  }
  return {
    /** What a killed function had comes again after seconds, rather than minutes. */
    retrySoon: async () => {
      for (const QueueUrl of own)
        await sqs.send(
          new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '20' } }),
        )
    },
    waiting: () => count(own[0]),
    dead: () => Promise.all(dead.map(count)),
  }
}
