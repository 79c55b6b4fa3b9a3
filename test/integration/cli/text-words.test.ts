import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FilesOptions, files } from '../../../src/source/declare/files.js'
import { ingestFile } from '../../../src/source/files/ingest-file.js'
import { inspectFile } from '../../../src/source/files/inspect-file.js'
import { Pack } from '../../../src/source/files/pack.js'
import { decodeSmall, readSmall } from '../../../src/source/files/small-files.js'
import { amount } from '../../support/effort.js'
import { engineSession } from '../../support/engine.js'
import { temporaryFolder } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * Words for what people's text files are like. Each file is read in all three ways: plain,
 * carefully, and packed together with others.
 */

const session = engineSession()

/** The rows of a text in each way that there is, which must be the same ones. */
async function rowsOf(text: string | Buffer, options: FilesOptions<string>) {
  const folder = await temporaryFolder()
  const path = join(folder, 'x.csv')
  await writeFile(path, text)
  const source = files(path, options)
  const { size, mtimeMs } = await stat(path)
  const file = { path, name: 'x.csv', size, modified: Math.floor(mtimeMs) }
  const requested = new Map([['n', 'BIGINT']])
  const signal = new AbortController().signal
  const read = async (way: 'plain' | 'careful' | 'values' | 'packed') => {
    const valuesFrom = way === 'values' ? 0 : Number.POSITIVE_INFINITY
    const inspection = await inspectFile(file, source, { requested, valuesFrom })
    const location = `file://${join(folder, `${way}.parquet`)}`
    const target = { session: session(), location, batch: 'b', requested, signal }
    const take = async () => {
      if (way === 'packed') {
        const pack = new Pack(source)
        const [found] = decodeSmall([await readSmall(file, source, inspection, signal)])
        if (!found || 'error' in found) throw found?.error
        pack.add(found)
        return pack.keep(target, valuesFrom)
      }
      const plain = way !== 'careful' && inspection.plain
      const large = way === 'values'
      return ingestFile({
        file,
        source,
        inspection: { ...inspection, plain },
        target: { ...target, large },
      })
    }
    const { columns, ...taken } = await take()
    const bare = 'bare' in taken && taken.bare
    const origin = bare ? { origin: { batch: 'b', file: 'x.csv' } } : {}
    const rows = taken as unknown as { rows: number }
    const total =
      way === 'packed'
        ? { rows: (taken as never as { files: { rows: number }[] }).files[0]?.rows ?? 0 }
        : rows
    const sql = session().files.batches([{ location, ...taken, ...total, ...origin } as never])
    const found = await session().rows(
      `SELECT _source_line, _error, ${columns.map((name) => `"${name}"`).join(', ')} FROM (${sql}) ORDER BY _source_line`,
    )
    return {
      columns,
      rows: found.map((row) =>
        Object.values(row).map((v) => (typeof v === 'bigint' ? Number(v) : v)),
      ),
    }
  }
  const careful = await read('careful')
  for (const way of ['plain', 'values', 'packed'] as const) expect(await read(way)).toEqual(careful)
  return careful
}

describe('lines before and behind the records', () => {
  it.each(['\n', '\r\n', '\r'])(
    'a report with a title, a sum and notes, lines ending with %j',
    async (end) => {
      const text = [
        'Report "of 2024',
        '',
        'id,n',
        '1,10',
        '# checked',
        '2,20',
        'Total,30',
        'x"y',
        '',
        '',
      ].join(end)
      expect(await rowsOf(text, { header: 3, footer: 2, comment: '#' })).toEqual({
        columns: ['id', 'n'],
        rows: [
          [4, null, '1', '10'],
          [6, null, '2', '20'],
        ],
      })
    },
  )

  it('lines that are passed over change no row but its line, whatever they hold', async () => {
    const odd = fc
      .array(fc.constantFrom('a', '"', ',', ' ', '#', 'é', '1,2'), { maxLength: 4 })
      .map((parts) => parts.join(''))
    const field = fc.constantFrom('1', '"a"', '"b\nc"', '', 'é')
    const record = fc.tuple(field, field).map((fields) => fields.join(','))
    const parts = fc.record({
      before: fc.array(odd, { maxLength: 3 }),
      records: fc.array(
        fc.oneof(
          { weight: 5, arbitrary: record },
          odd.filter((l) => !l.startsWith('#')),
        ),
        { maxLength: 4 },
      ),
      after: fc.array(
        odd.filter((line) => line !== ''),
        { maxLength: 2 },
      ),
      end: fc.constantFrom('\n', '\r\n'),
    })
    await fc.assert(
      fc.asyncProperty(parts, async ({ before, records, after, end }) => {
        const own = ['id,n', '7,7', ...records]
        const bare = await rowsOf(own.join(end), {})
        const text = [...before, ...own, ...after].join(end)
        // Quotes that are open where the records end would go on behind them.
        fc.pre(!bare.rows.some(([, error]) => error === 'a quote is never closed'))
        const framed = await rowsOf(text, { skip: before.length, footer: after.length })
        expect(framed.rows).toEqual(
          bare.rows.map(([line, ...rest]) => [Number(line) + before.length, ...rest]),
        )
        const noted = own.flatMap((line, i) => (i === 1 ? ['# a note', line] : [line])).join(end)
        const { rows } = await rowsOf(noted, { comment: '#' })
        expect(rows).toEqual(bare.rows.map(([line, ...rest]) => [Number(line) + 1, ...rest]))
      }),
      { seed, numRuns: amount(5, 25) },
    )
  })

  it('nothing is left where all lines are passed over', async () => {
    await expect(rowsOf('a\nb\n', { skip: 5 })).rejects.toThrow('x.csv has no readable header')
    expect((await rowsOf('a,b\nc,d\n', { columns: ['id', 'n'], footer: 9 })).rows).toEqual([])
  })
})

describe('names of columns', () => {
  it('over two rows, with cells that were merged', async () => {
    const text = 'Sales\n,2024,,2025,\nid,Q1,Q2,Q1,Q2\n1,2,3,4,5\n'
    expect(await rowsOf(text, { header: [2, 3] })).toEqual({
      columns: ['id', '2024_Q1', '2024_Q2', '2025_Q1', '2025_Q2'],
      rows: [[4, null, '1', '2', '3', '4', '5']],
    })
  })
})

describe('delimiters of several characters', () => {
  it.each(['||', '::', '~|~', '§', '\u0001\u0002'])('%j', async (d) => {
    const text = [
      ['id', 'n'],
      ['1', '2'],
      ['"a', 'b"', '3'],
      ['4', `x${d.slice(0, -1)}`],
    ]
      .map((r) => r.join(d))
      .join('\n')
    expect((await rowsOf(text, { delimiter: d })).rows).toEqual([
      [2, null, '1', '2'],
      [3, null, `a${d}b`, '3'],
      [4, null, '4', `x${d.slice(0, -1)}`],
    ])
  })
})

describe('escapes', () => {
  it('as Spark and MySQL write them within quotes', async () => {
    const text = String.raw`id,n
"say \"hi\"",1
"C:\\temp\new",2
"two ""q""",3
a\,b,4
\N,5
"\N",6
`
    const { rows } = await rowsOf(text, { escape: '\\', nulls: ['', '\\N'] })
    expect(rows).toEqual([
      [2, null, 'say "hi"', '1'],
      [3, null, 'C:\\temp\\new', '2'],
      [4, null, 'two "q"', '3'],
      [5, null, 'a,b', '4'],
      [6, null, null, '5'],
      [7, null, '\\N', '6'],
    ])
  })

  it("as PostgreSQL's COPY writes texts", async () => {
    const text = 'a\\tb\\nc\\\\d\t1\n\\N\t2\n\\\\N\t3\nx\\\ny\t4\n\t5\n'
    const { rows } = await rowsOf(text, {
      delimiter: '\t',
      columns: ['id', 'n'],
      quote: null,
      escape: '\\',
      nulls: ['\\N'],
    })
    expect(rows).toEqual([
      [1, null, 'a\tb\nc\\d', '1'],
      [2, null, null, '2'],
      [3, null, '\\N', '3'],
      [4, null, 'x\ny', '4'],
      [6, null, '', '5'],
    ])
  })

  it('give back any text that was escaped, across chunks and ways of reading', async () => {
    const part = fc.constantFrom('a', '\\', '"', ',', '\n', 'n', 'N', 't', 'é', '#')
    const value = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 5 }),
        async (rows) => {
          const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`
          const bare = (text: string) => text.replace(/[",\\\n\r]/g, '\\$&')
          for (const write of [quoted, bare]) {
            const text = ['id,n', ...rows.map((row) => row.map(write).join(','))].join('\n')
            const { rows: found } = await rowsOf(`${text}\n`, { escape: '\\' })
            expect(found.map(([, error, ...values]) => [error, values])).toEqual(
              rows.map((row) => [null, row]),
            )
          }
        },
      ),
      { seed, numRuns: amount(5, 25) },
    )
  })
})
