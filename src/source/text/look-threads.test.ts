import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { seed } from '../../../test/support/seed.js'
import { factsOfAll } from './look.js'
import { lookHere } from './look-here.js'
import { lookAtPart } from './look-task.js'
import { lookInThreads } from './look-threads.js'
import { machineFor, valueColumns } from './value-texts.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-look-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const layout = {
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'name', type: undefined },
    { name: 'price', type: 'DECIMAL(7,2)' },
  ],
  delimiter: 44,
  skip: 1,
}
const options = { quote: '"', numbers: true }

/** Usual lines, and among them what makes a text an odd one. */
const line = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('1,a,2.50', '22,ä€𐍈,0.10', '333,,1.00') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...['', '\r', '1,"a",1.00', '1, "a",1.00', 'x,a,1.00', '1,a', '1,a,1', '\u0000', '\x1f'],
      ...['1,\x1a,1.00', '12345678901234567890123', '1,a,1.00\r', ' '.repeat(50)],
    ),
  },
)
const text = fc
  .record({
    lines: fc.array(line, { maxLength: 40 }),
    end: fc.constantFrom('\n', '\n', '\r\n', '\r'),
    last: fc.boolean(),
    mark: fc.boolean(),
    cut: fc.boolean(),
  })
  .map(({ lines, end, last, mark, cut }) => {
    const bytes = Buffer.from(
      `${mark ? '\uFEFF' : ''}id,name,price${end}${lines.join(end)}${last ? end : ''}`,
    )
    // A character that is cut in the middle.
    return cut ? Buffer.concat([bytes, Buffer.from('€').subarray(0, 2)]) : bytes
  })

it('finds in parts what one look over all of a text finds, wherever the parts begin', async () => {
  const machine = machineFor(layout)
  const path = join(folder, 'text.csv')
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 120 }), async (bytes, part) => {
      await writeFile(path, bytes)
      const size = bytes.length
      const whole = await lookHere({ path, size, options, layout }, undefined)
      const about = { path, size, options, machine, skip: layout.skip }
      const count = Math.ceil(size / part)
      const found = Array.from({ length: count }, (_, i) => {
        const to = Math.min(size, (i + 1) * part)
        return lookAtPart({ ...about, from: i * part, to }, () => false)
      })
      expect(factsOfAll(found.map(({ facts }) => facts))).toEqual(whole.facts)
      const wrong = found.map((one) => one.wrong ?? new Uint8Array())
      if (machine && found.every((one) => one.wrong))
        expect(valueColumns(layout, machine, wrong)).toEqual(
          valueColumns(layout, machine, whole.wrong),
        )
    }),
    { numRuns: amount(200, 2000), seed },
  )
})

it('threads find of a large text what this thread finds, and its hash', async () => {
  const lines = Array.from({ length: 600_000 }, (_, i) => `${i},word ${i % 77},${i % 90}.25\n`)
  const bytes = Buffer.from(`id,name,price\n${lines.join('')}`)
  const path = join(folder, 'large.csv')
  await writeFile(path, bytes)
  const task = { path, size: bytes.length, options, layout }
  const [one, threads] = [await lookHere(task, undefined), await lookInThreads(task, undefined)]
  expect(threads.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  expect(threads.facts).toEqual(one.facts)
  expect(
    threads.machine && [...(valueColumns(layout, threads.machine, threads.wrong) ?? [])],
  ).toEqual([
    ['id', 'BIGINT'],
    ['price', 'DECIMAL(7,2)'],
  ])
})

it('threads that are told to stop say so, and those that meet a file that is gone', async () => {
  const path = join(folder, 'stopped.csv')
  await writeFile(path, Buffer.alloc(2 ** 25, '1,a,1.00\n'))
  const abort = new AbortController()
  const found = lookInThreads({ path, size: 2 ** 25, options, layout }, abort.signal)
  abort.abort(new Error('not any more'))
  await expect(found).rejects.toThrow('not any more')
  const gone = { path: join(folder, 'gone.csv'), size: 2 ** 25, options, layout }
  await expect(lookInThreads(gone, undefined)).rejects.toThrow(/ENOENT/)
})
