import { afterEach, beforeEach, expect, it } from 'vitest'
import { Project } from '../../support/project.js'

const lake = (source: string) => `
import { bronze, defineLake, silver, z } from 'moraine'
import { files, logs } from 'moraine/sources'
const raw = bronze('x', { from: ${source} })
export const x = silver('x', { from: raw, schema: z.object({ a: z.string() }) })
export default defineLake({ name: 'decoders', datasets: [x] })
`

const discarded = 'SELECT _source_file AS file, reasons[1] AS why FROM discarded.x ORDER BY 1'

const set = (settings: Record<string, string>) => {
  beforeEach(() => void Object.assign(process.env, settings))
  afterEach(() => {
    for (const name of Object.keys(settings)) delete process.env[name]
  })
}

set({ MORAINE_DECODER_SECONDS: '1', MORAINE_DECODER_MEMORY: '256MiB' })

// A pattern of a user's, and a line that makes it try for ever: 2^n ways.
const pattern = String.raw`logs('in', { format: /^(?<a>(x+x+)+y|ok\d)$/ })`
const endless = 'x'.repeat(60)

it.each([
  ['a small file, which is decoded in place', `ok2\n${endless}\n`],
  ['a large one', `ok2\n${endless}\n${'ok2\n'.repeat(60_000)}`],
])('a decoder that does not end costs its file alone: %s', async (_, text) => {
  const project = await Project.create({
    'lake.ts': lake(pattern),
    'in/1.log': 'ok1\n',
    'in/2.log': text,
    'in/3.log': 'ok3\n',
  })
  expect((await project.run()).outcome).toBe('done')
  expect(await project.query('SELECT a FROM silver.x ORDER BY a')).toEqual([
    { a: 'ok1' },
    { a: 'ok3' },
  ])
  expect(await project.query(discarded)).toEqual([
    { file: 'in/2.log', why: expect.stringContaining('MORAINE_DECODER_SECONDS=10') },
  ])
})

it('a file whose decoder needs more memory than it may have is discarded; those behind it are read', async () => {
  const project = await Project.create({
    'lake.ts': lake(`files('in')`),
    'in/1.json': '[{"a":"1"}]',
    'in/2.json': `[{"a":"${'wide '.repeat(14 * 2 ** 20)}"}]`,
    'in/3.json': `[{"a":"${'3'.repeat(200_000)}"}]`,
  })
  expect((await project.run()).outcome).toBe('done')
  const rows = await project.query('SELECT a[1] AS a FROM silver.x ORDER BY a')
  expect(rows).toEqual([{ a: '1' }, { a: '3' }])
  expect(await project.query(discarded)).toEqual([
    { file: 'in/2.json', why: expect.stringContaining('needs more than 256 MiB of memory') },
  ])
})

it('a packed file of a few bytes that would be unpacked for minutes is discarded; those behind it are read', async () => {
  // zstd: 98,047 times 65,539 copies of one letter, of a block that may have 128 KiB.
  const body = [9, 0x61, 0xff, 0xff, 0xff, 0b01010100, 0, 0, 52, 0xff, 0xff, 1]
  const block = (body.length << 3) | (2 << 1) | 1
  const frame = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0xff, block & 255, block >> 8, 0, ...body]
  const project = await Project.create({
    'lake.ts': lake(`files('in')`),
    'in/1.csv': 'a\n1\n',
    'in/2.csv.zst': Buffer.from(frame),
    'in/3.csv': 'a\n3\n',
  })
  expect((await project.run()).outcome).toBe('done')
  expect(await project.query('SELECT a FROM silver.x ORDER BY a')).toEqual([{ a: '1' }, { a: '3' }])
  expect(await project.query(discarded)).toEqual([
    { file: 'in/2.csv.zst', why: expect.stringContaining('MORAINE_DECODER_SECONDS=10') },
  ])
})

it('numbers that no double can hold are no values of the type, and bronze keeps their texts', async () => {
  const numbers = ['1.5', '1e-400', '1e-99999999999', '-2E+400', '5e-290', '0.25']
  const project = await Project.create({
    'lake.ts': lake(`files('in')`).replace('z.string()', 't.double()').replace('z }', 't, z }'),
    'in/1.jsonl': numbers.map((n) => `{"a":${n}}\n`).join(''),
  })
  expect((await project.run()).outcome).toBe('done')
  const kept = await project.query('SELECT a FROM silver.x ORDER BY a')
  expect(kept).toEqual([{ a: 5e-290 }, { a: 0.25 }, { a: 1.5 }])
  const gone = await project.query('SELECT raw FROM discarded.x ORDER BY _source_line')
  expect(gone.map(({ raw }) => JSON.parse(String(raw)).a)).toEqual([
    '1e-400',
    '1e-99999999999',
    '-2E+400',
  ])
})
