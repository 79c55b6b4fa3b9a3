import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { amount } from '../support/effort.js'
import { repository, temporaryFolder } from '../support/project.js'
import { seed } from '../support/seed.js'
import { minioProgram } from '../support/servers.js'
import { withService } from '../support/services.js'
import { Counts, Fault, Round } from './round.js'
import { Workers } from './workers.js'

/** Cycles of the storm on a folder; 200 in CI. In a bucket there are a quarter as many. */
const CYCLES = Number(process.env.MORAINE_STORM_CYCLES ?? amount(2, 6))
/** Seconds of the storm on a folder at most, where CI says so; in a bucket half of them. */
const SECONDS = Number(process.env.MORAINE_STORM_SECONDS ?? 0)

function storm(
  cycles: number,
  seconds: number,
  ...args: string[]
): Promise<{ code: number | null; output: string }> {
  return new Promise((done) => {
    const main = join(repository, 'test/storm/main.ts')
    const all = [
      '--import',
      'tsx',
      main,
      '--seed',
      String(seed),
      '--cycles',
      String(cycles),
      ...args,
    ]
    if (seconds > 0) all.push('--seconds', String(seconds))
    const child = spawn(process.execPath, all, { cwd: repository })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
      })
    child.once('close', (code) => done({ code, output }))
  })
}

async function openRound(): Promise<Round> {
  const folder = await temporaryFolder()
  const workers = new Workers(process.env)
  const place = { root: join(folder, 'lake'), folder: join(folder, 'project') }
  const round = new Round({ ...place, seed, workers, counts: new Counts() })
  onTestFinished(async () => {
    workers.close()
    await round.close()
  })
  await round.open()
  return round
}

it(
  'a lake in a folder holds',
  async () => {
    const { code, output } = await storm(CYCLES, SECONDS)
    console.log(output)
    expect(code, output).toBe(0)
    expect(output).toMatch(SECONDS ? /cycles +[1-9]/ : `cycles        ${CYCLES}`)
  },
  CYCLES * 60_000 + 60_000,
)

it('a row that is lost, one that comes twice, and one that nobody delivered are found', async () => {
  const round = await openRound()
  const { model } = round
  const lost = await round.deliveries.drop()
  model.deliveries.pop()
  await expect(round.settle()).rejects.toThrow(/bronze.dropped has too much: t\d+t/)
  model.deliveries.push(lost)
  await round.settle()
  model.add({ ...lost, name: 'never.csv', where: 'waiting' })
  await expect(round.settle()).rejects.toThrow(Fault)
  await expect(round.compare()).rejects.toThrow(/bronze.dropped lacks: t\d+t/)
  model.deliveries.pop()
  await round.compare()
})

withService('MinIO', [minioProgram], () => {
  it(
    'a lake in a bucket holds',
    async () => {
      const { server } = await startBuckets(['lakes'])
      try {
        const { code, output } = await storm(
          Math.ceil(CYCLES / 4),
          Math.ceil(SECONDS / 2),
          '--root',
          `s3://lakes/test?endpoint=${server.url}`,
        )
        console.log(output)
        expect(code, output).toBe(0)
        expect(output).toMatch(/cycles +[1-9]/)
      } finally {
        await server.stop()
      }
    },
    CYCLES * 60_000 + 60_000,
  )
})
