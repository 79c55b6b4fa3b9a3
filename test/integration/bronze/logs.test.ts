import {
  appendFile,
  copyFile,
  cp,
  mkdir,
  readFile,
  rename,
  rm,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { CommitLog } from '../../../src/log/log.js'
import { limitsOf } from '../../../src/query/limits.js'
import { queryRows } from '../../../src/query/query.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { amount, sample } from '../../support/effort.js'
import { killed, pointsOf } from '../../support/kills.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

const lake = (options: string) => `
import { bronze, defineLake } from 'moraine'
import { logs } from 'moraine/sources'
export default defineLake({ name: 'logs', datasets: [bronze('rows', { from: logs('in/app.log*', { ${options} }) })] })
`
const lines = 'format: /(?<n>\\d+) (?<message>.*)/, follow: true'
const events = 'format: /(?<day>\\d{4}-\\d\\d-\\d\\d) (?<message>.*)/, event: /^\\d{4}-/'

const numbers = async (project: Project) =>
  (
    await project.query('SELECT n, _source_line AS line FROM bronze.rows ORDER BY CAST(n AS INT)')
  ).map(({ n, line }) => [Number(n), Number(line)])

/** A file that nobody has written to for a while. */
async function settle(path: string): Promise<void> {
  const before = new Date(Date.now() - 60_000)
  await utimes(path, before, before)
}

describe('logs that are followed', () => {
  it('go on where one of them is damaged, and beside a segment that can not be read', async () => {
    const whole = gzipSync(Buffer.from('1 a\n2 b\n'))
    const project = await Project.create({
      'lake.ts': lake(lines),
      'in/app.log': '5 e\n6 f\n',
      'in/app.log.1.gz': gzipSync(Buffer.from('3 c\n4 d\n')),
      'in/app.log.2.gz': whole.subarray(0, whole.length - 6),
    })
    const log = join(project.folder, 'in/app.log')
    const packed = join(project.folder, 'in/app.log.2.gz')
    const waits = step(await project.run(), 'bronze.rows')
    // It may be packed just now.
    expect([waits.rows, waits.notes?.join()]).toEqual([
      4,
      expect.stringContaining('and will be retried'),
    ])
    await settle(packed)
    await appendFile(log, '7 g\n')
    const next = step(await project.run(), 'bronze.rows')
    expect([next.rows, next.notes?.join()]).toEqual([
      2,
      expect.stringContaining('discarded completely'),
    ])
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    await appendFile(log, `8 h\n9 ${'x'.repeat(101 * 2 ** 20)}\n`)
    expect(step(await project.run(), 'bronze.rows')).toMatchObject({ rows: 2 })
    await appendFile(log, '10 j\n')
    expect(step(await project.run(), 'bronze.rows')).toMatchObject({ rows: 1 })
    // Once it is whole, it is read like another one.
    await writeFile(packed, whole)
    expect(step(await project.run(), 'bronze.rows')).toMatchObject({ rows: 2 })
    const found = await project.query(
      'SELECT n, _error FROM bronze.rows ORDER BY CAST(n AS INT) NULLS LAST, _error',
    )
    expect(found.map(({ n }) => Number(n))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10, 0, 0])
    expect(found.slice(-2).map(({ _error }) => _error)).toEqual([
      expect.stringContaining('unexpected end'),
      'more than 100 MiB',
    ])
  })

  it('go on behind a segment at which their pattern never ends', async () => {
    vi.stubEnv('MORAINE_DECODER_SECONDS', '1')
    onTestFinished(() => void vi.unstubAllEnvs())
    const project = await Project.create({
      'lake.ts': lake('format: /(?<n>\\d+) (?<message>(\\w+\\s?)*!)/, follow: true'),
      'in/app.log': '1 a!\n',
      'in/app.log.1': '100 z!\n',
    })
    const log = join(project.folder, 'in/app.log')
    await project.run()
    await appendFile(log, `2 ${'words '.repeat(40)}?\n3 c`)
    await appendFile(join(project.folder, 'in/app.log.1'), '101 z!\n')
    await settle(log)
    const next = step(await project.run(), 'bronze.rows')
    expect(next.error).toBeUndefined()
    expect(next.notes?.join()).toMatch(/app\.log, bytes 5 to \d+ can't be read and are discarded/)
    // The line that was not complete is read once it is.
    await appendFile(log, '!\n')
    expect(step(await project.run(), 'bronze.rows')).toMatchObject({ rows: 1 })
    const found = await project.query(
      'SELECT n, _error IS NOT NULL AS bad FROM bronze.rows ORDER BY CAST(n AS INT)',
    )
    expect(found.map(({ n, bad }) => (bad ? 'bad' : Number(n)))).toEqual([1, 3, 100, 101, 'bad'])
  })

  it('are read on from where they were read, and an unfinished line waits', async () => {
    const project = await Project.create({
      'lake.ts': lake(lines),
      'in/app.log': '1 a\n2 b\n3 unfi',
    })
    const log = join(project.folder, 'in/app.log')
    const first = step(await project.run(), 'bronze.rows')
    expect(first).toMatchObject({
      rows: 2,
      notes: ['in/app.log: its last line is not complete yet and will be read later'],
    })
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    await appendFile(log, 'nished\nno number\n')
    expect(step(await project.run(), 'bronze.rows')).toMatchObject({ rows: 2 })
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    expect(
      await project.query(
        'SELECT n, message, _error, _raw, _source_file AS f, _source_line AS l FROM bronze.rows ORDER BY l',
      ),
    ).toEqual(
      [
        { n: '1', message: 'a', _error: null, _raw: null, f: 'in/app.log', l: 1n },
        { n: '2', message: 'b', _error: null, _raw: null, f: 'in/app.log', l: 2n },
        { n: '3', message: 'unfinished', _error: null, _raw: null, f: 'in/app.log', l: 3n },
        {
          n: null,
          message: null,
          _error: 'it does not fit the pattern',
          _raw: 'no number',
          f: 'in/app.log',
          l: 4n,
        },
      ].map((row) => ({ ...row, l: expect.anything() })),
    )
    // Where each log was read up to stands in the manifest of the batch with its rows.
    const state = await project.state()
    const { follow } = state.watermarks['bronze.rows'] as { follow: string }
    expect(state.batches['bronze.rows']?.at(-1)?.manifest).toBe(follow)
    const manifest = JSON.parse(new TextDecoder().decode(await project.storage.read(follow)))
    expect(manifest.source.logs).toMatchObject([{ name: 'in/app.log', offset: 31, line: 4 }])
  })

  it('are known again when they are rotated and packed, with what was written meanwhile', async () => {
    const project = await Project.create({ 'lake.ts': lake(lines), 'in/app.log': '1 a\n2 b\n' })
    const at = (name: string) => join(project.folder, 'in', name)
    await project.run()
    await appendFile(at('app.log'), '3 c\n')
    await rename(at('app.log'), at('app.log.1'))
    await writeFile(at('app.log'), '4 d\n')
    await project.run()
    expect(await numbers(project)).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 1],
    ])
    // Both are moved on: the older one is packed, and was written to once more before.
    await appendFile(at('app.log.1'), '5 e')
    await writeFile(at('app.log.2.gz'), gzipSync(await readFile(at('app.log.1'))))
    await rename(at('app.log'), at('app.log.1'))
    await writeFile(at('app.log'), '6 f\n')
    await project.run()
    expect(await numbers(project)).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 1],
      [5, 4],
      [6, 1],
    ])
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('are read from their start once they were copied and truncated; the copy is not read again', async () => {
    const project = await Project.create({ 'lake.ts': lake(lines), 'in/app.log': '1 a\n2 b\n' })
    const at = (name: string) => join(project.folder, 'in', name)
    await project.run()
    await appendFile(at('app.log'), '3 c\n')
    await copyFile(at('app.log'), at('app.log.1'))
    await project.run()
    await truncate(at('app.log'))
    await appendFile(at('app.log'), '4 d\n5 e\n6 f\n7 g\n')
    const { notes } = step(await project.run(), 'bronze.rows')
    expect(notes).toEqual(['in/app.log was truncated and is read from its start'])
    expect(await numbers(project)).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 1],
      [5, 2],
      [6, 3],
      [7, 4],
    ])
  })

  it('are taken for a copy where they have the same lines, which is said until they differ', async () => {
    const project = await Project.create({
      'lake.ts': lake(lines),
      'in/app.log.web': '1 start\n',
      'in/app.log.worker': '1 start\n2 next\n',
    })
    expect(step(await project.run(), 'bronze.rows').notes).toEqual([
      'in/app.log.web is taken for a copy of in/app.log.worker, which has the same lines so far: it is read once its lines differ',
    ])
    await appendFile(join(project.folder, 'in/app.log.web'), '3 other\n')
    const { rows, notes } = step(await project.run(), 'bronze.rows')
    expect([rows, notes]).toEqual([2, []])
    expect(await numbers(project)).toEqual([
      [1, 1],
      [1, 1],
      [2, 2],
      [3, 2],
    ])
  })

  it('are told apart although the new one begins with all that the rotated one holds', async () => {
    const project = await Project.create({ 'lake.ts': lake(lines), 'in/app.log': '6 start\n' })
    const log = join(project.folder, 'in/app.log')
    await project.run()
    await rename(log, `${log}.1`)
    await writeFile(log, '6 start\n7 next\n')
    await project.run()
    expect(await numbers(project)).toEqual([
      [6, 1],
      [6, 1],
      [7, 2],
    ])
    await appendFile(log, '8 more\n')
    await project.run()
    expect(await numbers(project)).toHaveLength(4)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('have events of several lines, the last of which waits until it is complete', async () => {
    const project = await Project.create({
      'lake.ts': lake(events),
      'in/app.log':
        'lost its head\n2026-01-01 one\n2026-01-02 boom\n  at f (a.js:1)\n  at g (b.js:2)\n',
    })
    const log = join(project.folder, 'in/app.log')
    const rows = async () =>
      (
        await project.query(
          'SELECT message, _error AS e, _source_line AS l FROM bronze.rows ORDER BY l',
        )
      ).map(({ message, e, l }) => [Number(l), message ?? e])
    await project.run()
    expect(await rows()).toEqual([
      [1, 'it is before the first event'],
      [2, 'one'],
    ])
    await appendFile(log, '  at h (c.js:3)\n2026-01-03 three\n')
    await project.run()
    const boom = 'boom\n  at f (a.js:1)\n  at g (b.js:2)\n  at h (c.js:3)'
    expect((await rows()).slice(2)).toEqual([[3, boom]])
    // Nobody writes any more.
    await settle(log)
    await project.run()
    expect((await rows()).slice(3)).toEqual([[7, 'three']])
    await project.run()
    expect(await rows()).toHaveLength(4)
  })

  it('give every line once, whatever writers, rotations and runs do in turn', async () => {
    const acts = fc.array(
      fc.constantFrom('write', 'write', 'part', 'rotate', 'pack', 'cut', 'run'),
      { minLength: 5, maxLength: 25 },
    )
    await fc.assert(
      fc.asyncProperty(acts, async (todo) => {
        const project = await Project.create({ 'lake.ts': lake(lines), 'in/app.log': '' })
        const at = (name: string) => join(project.folder, 'in', name)
        let n = 0
        let open = false
        const write = async () => {
          await appendFile(at('app.log'), open ? 'rest\n' : `${++n} line\n`)
          open = false
        }
        const exists = (name: string) => readFile(at(name)).catch(() => undefined)
        for (const act of todo) {
          if (act === 'write') await write()
          else if (act === 'part' && !open) {
            await appendFile(at('app.log'), `${++n} un`)
            open = true
          } else if (act === 'rotate' || act === 'cut') {
            if (open) await write()
            const old = await exists('app.log.1')
            // What is overwritten here was read before, as with a writer that rotates less often
            // than runs come.
            if (old) await project.run()
            if (act === 'rotate') {
              await rename(at('app.log'), at('app.log.1'))
              await writeFile(at('app.log'), '')
            } else {
              await copyFile(at('app.log'), at('app.log.1'))
              await truncate(at('app.log'))
            }
          } else if (act === 'pack') {
            const old = await exists('app.log.1')
            if (!old) continue
            await project.run()
            await writeFile(at('app.log.2.gz'), gzipSync(old))
            await rm(at('app.log.1'))
          } else if (act === 'run') await project.run()
        }
        if (open) await write()
        expect((await project.run()).outcome).toBe('done')
        if (n > 0)
          expect((await numbers(project)).map(([i]) => i)).toEqual(
            Array.from({ length: n }, (_, i) => i + 1),
          )
      }),
      { seed, numRuns: amount(3, 12, 40) },
    )
  })

  it('lose and double nothing when a run is killed at any point', async () => {
    const project = await Project.create({ 'lake.ts': lake(lines), 'in/app.log': '1 a\n2 b\n' })
    const at = (name: string) => join(project.folder, name)
    await project.run()
    await appendFile(at('in/app.log'), '3 c\n')
    await rename(at('in/app.log'), at('in/app.log.1'))
    await writeFile(at('in/app.log'), '4 d\n5 unfinished')
    await cp(at('lake'), at('whole'), { recursive: true })
    const points = await pointsOf(project, at('whole'))
    expect(points.length).toBeGreaterThan(8)
    for (const point of sample(points, 2, 6))
      for (const when of ['before', 'after']) {
        const root = at(`${when}-${point}`)
        await cp(at('lake'), root, { recursive: true })
        await killed(project, root, `${when}:${point}`)
        const storage = new LocalStorage(root)
        await project.runOn(storage)
        const state = await new CommitLog(storage).head()
        const rows = await queryRows(storage, state, 'SELECT n FROM bronze.rows ORDER BY n', {
          limits: limitsOf(),
        })
        expect([when, point, ...rows.map(({ n }) => n)]).toEqual([when, point, '1', '2', '3', '4'])
      }
    await mkdir(at('done'))
  })

  it('are only what can be read on from a place, and not what was read as files before', async () => {
    const project = await Project.create({
      'lake.ts': lake("format: 'json'"),
      'in/app.log': '{"a":1}\n',
    })
    await project.run()
    await project.write({ 'lake.ts': lake("format: 'json', follow: true") })
    expect(step(await project.run(), 'bronze.rows').error?.message).toBe(
      'bronze.rows was read without follow before',
    )
    await project.write({
      'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'logs', datasets: [bronze('rows', { from: files('in/a.csv', { follow: true }) })] })
`,
    })
    await expect(project.load()).rejects.toThrow('only files with one row per line can be followed')
  })
})
