import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Files, Project, step } from '../../support/project.js'

const definition = (from: string, columns = 'a: z.string(), b: z.string().nullable()') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('x', { from: ${from} })
export const x = silver('x', { from: raw, schema: z.object({ ${columns} }) })
export default defineLake({ name: 'bad', datasets: [x] })
`

async function load(content: string | Uint8Array, from = "files('x.csv')") {
  const project = await Project.create({ 'lake.ts': definition(from), 'x.csv': content })
  const run = await project.run()
  if (run.outcome !== 'done')
    return { error: run.steps.find((s) => s.error)?.error, state: await project.state() }
  const rows = await project.query('select a, b from silver.x order by a, b')
  const discarded = await project.query(
    'select reasons[1] as reason, _source_line as line, raw from discarded.x order by line',
  )
  return {
    rows: rows.map((r) => [r.a, r.b]),
    discarded: discarded.map((r) => [Number(r.line), r.reason, r.raw]),
  }
}

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
  )

describe('files as they come', () => {
  it.each<[string, string | Uint8Array, unknown[], unknown[]]>([
    ['a byte order mark', '\ufeffa,b\n1,2\n', [['1', '2']], []],
    [
      'Windows line ends',
      'a,b\r\n1,2\r\n3,4\r\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
      [],
    ],
    [
      'mixed line ends',
      'a,b\r\n1,2\n3,4\r\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
      [],
    ],
    [
      'old Mac line ends',
      'a,b\r1,2\r3,4',
      [
        ['1', '2'],
        ['3', '4'],
      ],
      [],
    ],
    ['no end of the last line', 'a,b\n1,2', [['1', '2']], []],
    [
      'quoted newlines before a broken line',
      'a,b\n"1\n\n1",2\n3\n4,5\n',
      [
        ['1\n\n1', '2'],
        ['4', '5'],
      ],
      [[5, 'line: 1 field instead of 2', '3']],
    ],
    ['an empty text apart from NULL', 'a,b\n"",\n', [['', null]], []],
    [
      'ragged lines',
      'a,b\n1\n2,3,4\n5,6\n',
      [['5', '6']],
      [
        [2, 'line: 1 field instead of 2', '1'],
        [3, 'line: 3 fields instead of 2', '2,3,4'],
      ],
    ],
    [
      'a delimiter at the end of lines',
      'a,b\n1,2,\n3,4,\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
      [],
    ],
    [
      'invalid UTF-8',
      bytes('a,b\n1,2\n', [0xff, 0x61], ',x\né,3\n'),
      [
        ['1', '2'],
        ['é', '3'],
      ],
      [[3, 'line: it is not valid UTF-8', '\\xFFa,x']],
    ],
    [
      'NUL bytes',
      bytes('a,b\n1,', [0], '\n3,4\n'),
      [['3', '4']],
      [[2, 'line: it holds a NUL byte', '1,\\x00']],
    ],
    [
      'control characters',
      'a,b\n\x1a1,\x1f2\n3,4\n',
      [
        ['\x1a1', '\x1f2'],
        ['3', '4'],
      ],
      [],
    ],
    [
      'empty lines',
      'a,b\n\n1,2\n\n3,4\n\n\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
      [
        [2, 'line: empty line', null],
        [4, 'line: empty line', null],
      ],
    ],
    [
      'empty lines above the header',
      '\n\na,b\n1,2\n"3",4\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
      [
        [1, 'line: empty line', null],
        [2, 'line: empty line', null],
      ],
    ],
    [
      'a quote that never closes',
      'a,b\n1,"2\n3,4\n',
      [['3', '4']],
      [[2, 'line: a quote is never closed', '1,"2']],
    ],
    ['a broken record alone', 'a,b\n1,"2\n', [], [[2, 'line: a quote is never closed', '1,"2']]],
    ['a header without rows', 'a,b\n', [], []],
  ])('%s', async (_, content, rows, discarded) => {
    expect(await load(content)).toEqual({ rows, discarded })
  })

  it('a line of 10 MB', async () => {
    const long = 'y'.repeat(10_000_000)
    const { rows, discarded } = await load(`a,b\n1,${long}\n2,"${long}"\n3\n`)
    expect(rows?.map(([a, b]) => [a, (b as string).length])).toEqual([
      ['1', 10_000_000],
      ['2', 10_000_000],
    ])
    expect(discarded).toEqual([[4, 'line: 1 field instead of 2', '3']])
  })

  it.each([
    ['an empty file', '', 'x.csv is empty: it does not even have a header'],
    ['the wrong delimiter', 'a;b\n1;2\n', "silver.x: its input has no column 'a'"],
    [
      'UTF-16 that is cut off',
      bytes([0xff, 0xfe, 0x61]),
      'x.csv contains bytes that are not valid utf-16le',
    ],
    [
      'a gzip file that is cut off',
      gzipSync('a,b\n1,2\n').subarray(0, 20),
      "x.csv can't be unpacked",
    ],
    ['a column without a name', 'a,\n1,2\n', 'x.csv: column 2 in the header has no name'],
    ['a column in the middle without a name', 'a,,b\n1,2,3\n', 'x.csv: column 2 in the header has'],
  ])('%s is an error, and no table is published', async (_, content, message) => {
    const { error, state } = await load(content)
    expect(error?.message).toContain(message)
    expect(error?.hint).toBeDefined()
    expect(Object.keys(state?.tables ?? {})).toEqual([])
  })

  it('a file that is compressed with gzip is read as what it holds', async () => {
    expect(await load(gzipSync('a,b\n1,2\n3\n'))).toEqual({
      rows: [['1', '2']],
      discarded: [[3, 'line: 1 field instead of 2', '3']],
    })
  })

  it('the wrong delimiter for declared columns is an error, not a file of discarded rows', async () => {
    const { error, state } = await load('1;2\n3;4\n', "files('x.csv', { columns: ['a', 'b'] })")
    expect(error?.message).toBe(
      "x.csv: none of its 2 records has 2 fields separated by ','; line 1: 1 field instead of 2",
    )
    expect(state?.number).toBe(0)
  })

  it('declared columns are found in a header by name, and name those that have none there', async () => {
    const from = "files('x.csv', { header: true, columns: ['a', 'b'] })"
    const expected = { rows: [['1', '2']], discarded: [] }
    expect(await load('A,B\n1,2\n', from)).toEqual(expected)
    expect(await load('b,a\n2,1\n', from)).toEqual(expected)
    expect(await load('more,b,a\n3,2,1\n', from)).toEqual(expected)
    expect(await load('A,,\n1,2,\n', from)).toEqual(expected)
    expect(await load(',a\n2,1\n', from)).toEqual(expected)
    expect(await load('a,a\n1,2\n', from)).toEqual(expected)
    const { error } = await load('x;y,y\n1,2\n', from)
    expect(error?.message).toBe("x.csv has no column 'a'")
    expect(error?.hint).toContain('Its columns are: x;y, y')
  })

  it('a delimiter at the end of the header makes no column', async () => {
    const rows = [['1', '2']]
    expect(await load('a;b;\n1;2;\n', "files('x.csv', { delimiter: ';' })")).toEqual({
      rows,
      discarded: [],
    })
    expect(await load('a;b;;;\n1;2;;;\n"3";4;5;;\n', "files('x.csv', { delimiter: ';' })")).toEqual(
      {
        rows,
        discarded: [[3, 'line: 4 fields instead of 2', '"3";4;5;;']],
      },
    )
  })

  it('where lines end with a delimiter, it is not counted as a field', async () => {
    const from = (quote: string) =>
      `files('x.csv', { delimiter: '|', quote: ${quote}, columns: ['a', 'b', 'c'] })`
    const text = '1|2|3|\n3|\n4|5|6|7|\n'
    const discarded = [
      [2, 'line: 1 field instead of 3', '3|'],
      [3, 'line: 4 fields instead of 3', '4|5|6|7|'],
    ]
    const expected = { rows: [['1', '2']], discarded }
    expect(await load(text, from('null'))).toEqual(expected)
    expect(await load(`${text}"7"|"8"|"9"|\n`, from(`'"'`))).toEqual({
      rows: [...expected.rows, ['7', '8']],
      discarded,
    })
  })

  it('a missing file is an error that names it', async () => {
    const project = await Project.create({ 'lake.ts': definition("files('nowhere/*.csv')") })
    const run = await project.run()
    expect(run.outcome).toBe('failed')
    expect(step(run, 'bronze.x').error?.message).toBe(
      `There is no file at ${project.folder}/nowhere/*.csv`,
    )
    expect(step(run, 'silver.x').outcome).toBe('blocked')
  })

  it('names of files may hold anything', async () => {
    const names = [
      'orders[1].csv',
      'day=5/a b.csv',
      "o'brien & *.csv",
      'größe/日本?.csv',
      '{x}.csv',
      '100%.csv',
      '%20.csv',
    ]
    const files: Files = Object.fromEntries(
      names.map((name, i) => [`in/${name}`, `a,b\n${i},${i}\n`]),
    )
    const project = await Project.create({
      ...files,
      // What a pattern would match instead of the name.
      'in/orders1.csv': 'a,b\n7,7\n',
      'lake.ts': definition("files('in')"),
    })
    expect((await project.run()).outcome).toBe('done')
    const rows = await project.query(
      'select b.a, b._source_file as f, s.b from bronze.x b join silver.x s using (a) order by a',
    )
    expect(rows.map((r) => r.f)).toEqual([...names, 'orders1.csv'].map((name) => `in/${name}`))
    expect(Object.keys(rows[0] ?? {})).toEqual(['a', 'f', 'b'])
  })

  it('a path that exists is no pattern', async () => {
    const project = await Project.create({
      'orders[1].csv': 'a,b\n1,2\n',
      'orders1.csv': 'a,b\n3,4\n',
      'lake.ts': definition("files('orders[1].csv')"),
    })
    await project.run()
    expect(await project.query('select a from silver.x')).toEqual([{ a: '1' }])
  })
})
