import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Project, repository, step } from '../../support/project.js'
import { zip } from '../../support/zip.js'

const folder = join(repository, 'test/golden/excel')
const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Record<
  string,
  {
    options?: object
    columns: string[]
    rows: [line: number, values: Record<string, string>][]
    notes: string[]
    filled?: [line: number, values: Record<string, string>][]
  }
>

const lake = (source: string) => `
import { bronze, defineLake } from 'moraine'
import { files, inbox } from 'moraine/sources'
export default defineLake({ name: 'excel', datasets: [bronze('rows', { from: ${source} })] })
`

/** What a run makes of a workbook. */
async function taken(source: string, ...books: string[]) {
  const project = await Project.create({ 'lake.ts': lake(source) })
  for (const book of books) await cp(join(folder, book), join(project.folder, book))
  return outcome(project)
}

async function outcome(project: Project) {
  const record = await project.run()
  const { error, notes = [] } = step(record, 'bronze.rows') as any
  if (error) return { error, rows: [], columns: [], notes: [] as string[], project }
  const all = await project.query('SELECT * FROM bronze.rows ORDER BY _source_file, _source_line')
  const rows = all.map(({ _batch, _source_file, _source_line, _error, _raw, ...row }) => [
    Number(_source_line),
    Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)),
  ])
  const columns = Object.keys(all[0] ?? {}).filter((name) => !name.startsWith('_'))
  return { error, rows, columns, notes: notes as string[], project }
}

/** A workbook of one sheet, written by hand. */
const book = (sheet: string, more: Record<string, string> = {}) =>
  zip({
    '[Content_Types].xml': '<Types/>',
    '_rels/.rels':
      '<Relationships><Relationship Id="1" Type="x/officeDocument" Target="/xl/workbook.xml"/></Relationships>',
    'xl/workbook.xml': '<workbook><sheets><sheet name="S" r:id="2"/></sheets></workbook>',
    'xl/_rels/workbook.xml.rels':
      '<Relationships><Relationship Id="2" Type="x/worksheet" Target="../xl/sheet.xml"/></Relationships>',
    'xl/sheet.xml': sheet,
    ...more,
  })

describe('workbooks', () => {
  it.each(Object.keys(expected))('%s gives what its program meant', async (name) => {
    const {
      options = {},
      columns,
      rows,
      notes,
      filled,
    } = expected[name] as (typeof expected)[string]
    const source = (more: object) => `files('${name}', ${JSON.stringify({ ...options, ...more })})`
    const found = await taken(source({}), name)
    expect(found.error).toBeUndefined()
    expect(found.rows).toEqual(rows)
    expect(found.columns).toEqual(columns)
    expect(found.notes.map((note) => note.replace(`${name}: `, ''))).toEqual(notes)
    if (filled) expect((await taken(source({ merged: 'fill' }), name)).rows).toEqual(filled)
  })

  it('have sheets, ranges and headers as they are asked for', async () => {
    const rates = await taken("files('openpyxl.xlsx', { sheet: 'rates' })", 'openpyxl.xlsx')
    expect(rates.rows).toEqual([[2, { rate: '1.19' }]])
    const third = await taken(
      "files('openpyxl.xlsx', { sheet: 3, header: false })",
      'openpyxl.xlsx',
    )
    expect(third.rows).toEqual([
      [1, { column_A: 'rate' }],
      [2, { column_A: '1.19' }],
    ])
    const part = await taken(
      "files('openpyxl.xlsx', { range: 'A5:B6', columns: ['no', 'who'] })",
      'openpyxl.xlsx',
    )
    expect(part.rows).toEqual([
      [5, { no: '2', who: ' two\nlines ' }],
      [6, { no: '12345678901234567890', who: 'a bold end' }],
    ])
    const nulls = await taken(
      "files('libreoffice.xlsx', { nulls: ['', '#N/A'] })",
      'libreoffice.xlsx',
    )
    expect(nulls.rows[1]).toEqual([3, { a: '3', b: '0.1', sum: '3.2', text: '3%' }])
  })

  it('with names over several rows join them, those of merged cells too', async () => {
    const sheet = `<worksheet><sheetData>
      <row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c><c r="B1" t="inlineStr"><is><t>2026</t></is></c></row>
      <row r="2"><c r="B2" t="inlineStr"><is><t>jan</t></is></c><c r="C2" t="inlineStr"><is><t>feb</t></is></c></row>
      <row r="3"><c r="A3"><v>7</v></c><c r="B3"><v>1</v></c><c r="C3"><v>2</v></c></row>
      </sheetData><mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/></mergeCells></worksheet>`
    const project = await Project.create({
      'lake.ts': lake("files('a.xlsx', { header: [1, 2] })"),
      'a.xlsx': book(sheet),
    })
    expect((await outcome(project)).rows).toEqual([
      [3, { id: '7', '2026_jan': '1', '2026_feb': '2' }],
    ])
  })

  it('that hold no table, or are none, say what they are', async () => {
    const errors = async (source: string, ...books: string[]) =>
      (await taken(source, ...books)).error
    expect(
      await errors("files('openpyxl.xlsx', { sheet: 'Order' })", 'openpyxl.xlsx'),
    ).toMatchObject({
      message: "openpyxl.xlsx has no sheet 'Order'",
      hint: "Its sheets are: 'Orders', 'Codes', 'Rates'.",
    })
    expect(
      await errors(
        "files('pandas.xlsx', { header: true, columns: ['city', 'town'] })",
        'pandas.xlsx',
      ),
    ).toMatchObject({
      message: "pandas.xlsx: its header has no column 'town'",
    })
    expect((await errors("files('encrypted.xlsx')", 'encrypted.xlsx')).message).toBe(
      'encrypted.xlsx is encrypted',
    )
    expect((await errors("files('libreoffice.xls')", 'libreoffice.xls')).message).toBe(
      "libreoffice.xls is a workbook of Excel 97–2003 (.xls), which can't be read",
    )
    expect(
      (await errors("files('libreoffice.ods', { format: 'excel' })", 'libreoffice.ods')).message,
    ).toBe('libreoffice.ods is an OpenDocument file, not an Excel workbook')
    const of = async (content: string | Uint8Array) =>
      (
        await outcome(
          await Project.create({ 'lake.ts': lake("files('a.xlsx')"), 'a.xlsx': content }),
        )
      ).error.message
    expect(await of('id;name\n1;Ada\n')).toBe(
      'a.xlsx is not an Excel workbook: it starts with "id;name…1;Ada…"',
    )
    expect(await of('<html><table>')).toBe('a.xlsx is a web page, not an Excel workbook')
    expect(await of('')).toBe('a.xlsx is empty')
    expect(await of(Buffer.alloc(50))).toBe(
      'a.xlsx starts with zero bytes, unlike an Excel workbook',
    )
    expect(await of(zip({ 'a.txt': 'a' }))).toBe('a.xlsx is a zip, but not an Excel workbook')
    expect(await of(book('<worksheet><sheetData/></worksheet>'))).toBe(
      "a.xlsx: sheet 'S' has no header",
    )
  })

  it('that are broken or made to harm are refused, with nothing taken', async () => {
    const of = async (sheet: string, more: Record<string, string> = {}) => {
      const files = { 'lake.ts': lake("files('a.xlsx')"), 'a.xlsx': book(sheet, more) }
      const { error, project } = await outcome(await Project.create(files))
      expect((await project.state()).batches['bronze.rows'] ?? []).toEqual([])
      return error.message as string
    }
    const row = (cells: string) =>
      `<worksheet><sheetData><row r="1">${cells}</row></sheetData></worksheet>`
    expect(await of(`<!DOCTYPE x [<!ENTITY a "b">]>${row('')}`)).toContain('it has a DTD')
    expect(await of(row('<c r="A1"><v>1</v>'))).toContain('xl/sheet.xml, line 1')
    expect(await of(row('<c r="A1" t="s"><v>5</v></c>'))).toContain('there is no shared string 5')
    expect(await of(row('<c r="XFE1"><v>1</v></c>'))).toContain('there is no cell XFE1')
    expect(await of(row('<c r="A1"><v>one</v></c>'))).toContain('one is not a number')
    const bomb = `<worksheet><sheetData><row><c t="inlineStr"><is><t>a</t></is></c></row>${'<row><c><v>1</v></c></row>'.repeat(12_000_000)}`
    expect(await of(bomb)).toBe('a.xlsx unpacks to more than 250 times its size')
  })

  it('come through an inbox, and one that can not be read is a discarded row', async () => {
    const project = await Project.create({
      'lake.ts': lake("inbox({ path: 'in', settle: '0ms' })"),
      'in/x.txt': 'city\nRome\n',
    })
    for (const book of ['polars.xlsx', 'encrypted.xlsx'])
      await cp(join(folder, book), join(project.folder, 'in', book))
    expect((await project.run()).outcome).toBe('done')
    const rows = await project.query(
      'SELECT sku, city, _source_line, _error FROM bronze.rows ORDER BY ALL',
    )
    expect(rows.map((row) => [row.sku, row.city, Number(row._source_line), row._error])).toEqual([
      ['a-1', null, 2, null],
      ['b-2', null, 3, null],
      [null, 'Rome', 2, null],
      [null, null, 0, expect.stringMatching(/is encrypted$/)],
    ])
  })

  it('are previewed, and a crawl of them loads, runs and discards nothing', async () => {
    const project = await Project.create({})
    for (const book of ['openpyxl.xlsx', 'pandas.xlsx', 'polars.xlsx', 'libreoffice.xls'])
      await cp(join(folder, book), join(project.folder, book))
    const preview = await project.cli('preview', 'polars.xlsx')
    expect(preview.stdout).toMatch(/day\s+price\s+sku\s+big\n.*\n2026-01-05\s+1234567.891\s+a-1/)
    const crawled = await project.cli('crawl', '.')
    expect(crawled).toMatchObject({ code: 0 })
    const ran = await project.cli('run')
    expect(ran.stdout).toMatch(/silver.polars\s+2 rows in = 2 kept/)
    expect(ran.stdout).toMatch(/silver.pandas\s+3 rows in = 3 kept/)
    expect(ran.stdout).toMatch(/silver.openpyxl_orders\s+4 rows in = /)
  })
})
