import { MoraineError } from '../../../errors.js'
import { decode } from '../../decoder/client.js'
import type { SourceFile } from '../../files/source-file.js'
import { columnName, distinctNames, keysInOrder } from '../../text/names.js'
import type { JsonRecord } from '../json-records.js'
import type { ExcelLayout, SheetReading } from './reading.js'
import { mergedRanges, type SheetFacts, type SheetRow, sheetRows } from './sheet.js'
import { columnLetters, MOST, parseRange, type Range } from './values.js'
import { openWorkbook, type SheetPart, type Workbook } from './workbook.js'

/** How a sheet is read where nothing is said: the first that is not hidden, with a header. */
export function excelSheet(sheet?: string): ExcelLayout {
  return {
    kind: 'excel',
    sheet,
    range: undefined,
    header: true,
    headerRows: undefined,
    merged: 'first',
  }
}

/** A sheet whose columns are known; its rows can be read once. */
export interface OpenSheet {
  name: string
  /** Names of the columns that the header names, or that were given. */
  columns: readonly string[]
  rows: AsyncGenerator<readonly JsonRecord[]>
  /** What a reader should know; complete once all rows were read. */
  notes(): string[]
}

/**
 * Uses a sheet of a workbook: values are texts, a row is an object with a name for each column, and
 * its line is the row's number in the sheet. Rows without a value are none.
 *
 * @throws MoraineError of kind `source` when the file is no workbook, or has no such sheet or
 *   header.
 */
export async function withSheet<T>(
  file: SourceFile,
  reading: SheetReading,
  use: (sheet: OpenSheet) => Promise<T>,
): Promise<T> {
  const workbook = await openWorkbook(file)
  try {
    return await use(await openSheet(file, workbook, reading))
  } finally {
    workbook.parts.close()
  }
}

/** The names of a workbook's sheets that are not hidden, in their order. */
export function sheetNames(file: SourceFile): Promise<string[]> {
  return decode('sheetNames', file, {})
}

/** The same, in the process that asks. */
export async function readSheetNames(file: SourceFile): Promise<string[]> {
  const { sheets, parts } = await openWorkbook(file)
  parts.close()
  return sheets.filter(({ hidden }) => !hidden).map(({ name }) => name)
}

async function openSheet(
  file: SourceFile,
  workbook: Workbook,
  reading: SheetReading,
): Promise<OpenSheet> {
  const { layout, columns: given } = reading
  const sheet = sheetOf(file, workbook, layout.sheet)
  const range = rangeOf(file, layout)
  const facts: SheetFacts = { hiddenColumns: [], merged: [], errors: 0, formulas: 0, computed: 0 }
  const seen = { hiddenRows: 0, hiddenColumns: new Set<number>() }
  const filled = await filledRanges(workbook, sheet, layout)
  const found = within(range, fill(filled, sheetRows(workbook, sheet, facts)))
  const rows = new RowsAhead(found)
  const names = new ColumnNames(reading.nulls)
  if (layout.header) {
    const header = await headerOf(rows, layout.headerRows)
    if (header.size === 0 && given === undefined)
      throw new MoraineError('source', `${file.name}: sheet '${sheet.name}' has no header`, {
        hint:
          layout.headerRows === undefined && layout.range === undefined
            ? 'The sheet is empty. Is it the right sheet?'
            : 'The row of the header has no values.',
      })
    names.ofHeader(header)
    refuseMissing(file, given, names)
  } else
    for (const [i, name] of (given ?? []).entries()) names.put((range?.firstColumn ?? 0) + i, name)
  const records = async function* (): AsyncGenerator<readonly JsonRecord[]> {
    for await (const some of rows.rest()) {
      for (const { hidden, cells } of some) {
        if (hidden) seen.hiddenRows++
        for (const column of cells.keys())
          if (isIn(facts.hiddenColumns, column)) seen.hiddenColumns.add(column)
      }
      yield some.map((row) => names.record(row)).filter((record) => record !== undefined)
    }
  }
  return {
    name: sheet.name,
    columns: names.all(),
    rows: records(),
    notes: () => notesOf({ workbook, sheet, layout, facts, seen }),
  }
}

function sheetOf(
  file: SourceFile,
  { sheets }: Workbook,
  asked: string | number | undefined,
): SheetPart {
  const visible = sheets.filter(({ hidden }) => !hidden)
  const found =
    asked === undefined
      ? (visible[0] ?? sheets[0])
      : typeof asked === 'number'
        ? sheets[asked - 1]
        : (sheets.find(({ name }) => name === asked) ??
          sheets.find(({ name }) => name.trim().toLowerCase() === asked.trim().toLowerCase()))
  if (found) return found
  const what = typeof asked === 'number' ? `no sheet ${asked}` : `no sheet '${asked}'`
  throw new MoraineError('source', `${file.name} has ${what}`, {
    hint: `Its sheets are: ${sheets.map(({ name }) => `'${name}'`).join(', ')}.`,
  })
}

function rangeOf(file: SourceFile, { range }: ExcelLayout): Range | undefined {
  if (range === undefined) return undefined
  const found = parseRange(range)
  if (found) return found
  throw new MoraineError('source', `${file.name} can't be read: '${range}' is not a cell range`, {
    hint: "Use Excel's notation: 'B3:F200', 'B:F' for columns, '3:200' for rows, 'B3' for everything from there on.",
  })
}

/** The cells of rows that a range has, until it ends. */
async function* within(
  range: Range | undefined,
  rows: AsyncIterable<readonly SheetRow[]>,
): AsyncGenerator<readonly SheetRow[]> {
  if (range === undefined) {
    yield* rows
    return
  }
  const { firstRow, lastRow, firstColumn, lastColumn } = range
  for await (const some of rows) {
    const inside = some.filter(({ number }) => number >= firstRow && number <= lastRow)
    for (const { cells } of inside)
      for (const column of cells.keys())
        if (column < firstColumn || column > lastColumn) cells.delete(column)
    const left = inside.filter(({ cells }) => cells.size > 0)
    if (left.length > 0) yield left
  }
}

/** Every cell of a merged one has its value. Rows that have no other value are not made up. */
async function* fill(
  merged: readonly Range[],
  rows: AsyncIterable<readonly SheetRow[]>,
): AsyncGenerator<readonly SheetRow[]> {
  if (merged.length === 0) {
    yield* rows
    return
  }
  const waiting = [...merged].sort((a, b) => b.firstRow - a.firstRow)
  let open: { range: Range; value: string | undefined }[] = []
  for await (const some of rows) {
    for (const { number, cells } of some) {
      open = open.filter(({ range }) => range.lastRow >= number)
      while ((waiting.at(-1)?.firstRow ?? MOST.rows + 1) <= number) {
        const range = waiting.pop() as Range
        const value = range.firstRow === number ? cells.get(range.firstColumn) : undefined
        if (range.lastRow >= number) open.push({ range, value })
      }
      for (const { range, value } of open)
        if (value !== undefined)
          for (let c = range.firstColumn; c <= range.lastColumn; c++)
            if (!cells.has(c)) cells.set(c, value)
    }
    yield some
  }
}

/** Rows of which the first can be looked at before the others are read. */
class RowsAhead {
  private ahead: readonly SheetRow[] = []

  constructor(private readonly rows: AsyncGenerator<readonly SheetRow[]>) {}

  /** Takes the first row from one number to another; those before it are passed over. */
  async take(first: number, last: number): Promise<SheetRow | undefined> {
    for (;;) {
      const at = this.ahead.findIndex((row) => row.number >= first)
      if (at >= 0) {
        const [found] = this.ahead.slice(at)
        this.ahead = this.ahead.slice(found && found.number <= last ? at + 1 : at)
        return found && found.number <= last ? found : undefined
      }
      const next = await this.rows.next()
      if (next.done) return undefined
      this.ahead = next.value
    }
  }

  async *rest(): AsyncGenerator<readonly SheetRow[]> {
    if (this.ahead.length > 0) yield this.ahead
    yield* this.rows
  }
}

/** The names in the header, by column: those of several rows are joined. */
async function headerOf(
  rows: RowsAhead,
  numbers: ExcelLayout['headerRows'],
): Promise<ReadonlyMap<number, string>> {
  if (!numbers) return (await rows.take(1, MOST.rows))?.cells ?? new Map()
  const [first, last] = numbers
  const names = new Map<number, string>()
  for (let row = await rows.take(first, last); row; row = await rows.take(first, last))
    for (const [column, text] of row.cells) {
      const before = names.get(column)
      // One that is merged downwards is one name.
      if (before !== text) names.set(column, before === undefined ? text : `${before}_${text}`)
    }
  return new Map([...names].sort(([a], [b]) => a - b))
}

/** Merged cells that get the value of their first one: in a header of several rows always. */
async function filledRanges(
  workbook: Workbook,
  sheet: SheetPart,
  { merged, headerRows }: ExcelLayout,
): Promise<Range[]> {
  const [first = 1, last = 1] = headerRows ?? []
  if (merged !== 'fill' && first === last) return []
  const ranges = await mergedRanges(workbook, sheet)
  return merged === 'fill' ? ranges : ranges.filter((range) => range.lastRow <= last)
}

function refuseMissing(
  file: SourceFile,
  given: readonly string[] | undefined,
  names: ColumnNames,
): void {
  const all = names.all()
  const known = new Set(all.map((name) => name.toLowerCase()))
  const missing = (given ?? []).filter((name) => !known.has(name.toLowerCase()))
  if (missing.length === 0) return
  const list = missing.map((name) => `'${name}'`).join(', ')
  throw new MoraineError('source', `${file.name}: its header has no column ${list}`, {
    hint: `Its columns are: ${all.join(', ')}. Or are these names for a sheet without a header? Then set header: false.`,
  })
}

/**
 * Names of columns: those of the header, each once, and `column_C` for what is in a column that has
 * none.
 */
class ColumnNames {
  private readonly names = new Map<number, string>()
  /** Each name as JSON has it, with what follows it. */
  private readonly keys = new Map<number, string>()
  private readonly used = new Set<string>()

  constructor(private readonly nulls: readonly string[]) {}

  /** Names that fall together are told apart as those of other files. */
  ofHeader(cells: Iterable<readonly [column: number, text: string]>): void {
    const named = [...cells]
      .map(([column, text]) => [column, oneLine(text)] as const)
      .filter(([, text]) => text !== '')
    const names = distinctNames(keysInOrder(named.map(([, text]) => text)))
    for (const [i, [column]] of named.entries()) this.put(column, names[i] as string)
  }

  put(column: number, text: string): void {
    const plain = oneLine(text)
    if (plain === '') return
    const preferred = columnName(plain)
    let name = preferred
    for (let n = 1; this.used.has(name.toLowerCase()); n++) name = `${preferred}_${n}`
    this.used.add(name.toLowerCase())
    this.names.set(column, name)
    this.keys.set(column, `${JSON.stringify(name)}:`)
  }

  all(): string[] {
    return [...this.names.values()]
  }

  /**
   * A row as an object that has all names known so far, but where it has next to nothing of many.
   */
  record({ number, cells }: SheetRow): JsonRecord | undefined {
    for (const [column, text] of cells)
      if (this.nulls.includes(text)) cells.delete(column)
      else if (!this.names.has(column)) this.put(column, `column_${columnLetters(column)}`)
    if (cells.size === 0) return undefined
    const isSparse = this.keys.size > SPARSE && cells.size * 8 < this.keys.size
    let json = '{'
    for (const [column, key] of this.keys) {
      const text = cells.get(column)
      if (text === undefined && isSparse) continue
      if (json.length > 1) json += ','
      json += text === undefined ? `${key}null` : key + JSON.stringify(text)
    }
    return { line: number, json: `${json}}` }
  }
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim()

/** Columns of which rows that have few values leave out the others. */
const SPARSE = 64

const isIn = (columns: readonly Range[], column: number) =>
  columns.some(({ firstColumn, lastColumn }) => column >= firstColumn && column <= lastColumn)

/** A sheet that was read, and what was seen on the way. */
interface ReadSheet {
  workbook: Workbook
  sheet: SheetPart
  layout: ExcelLayout
  facts: SheetFacts
  seen: { hiddenRows: number; hiddenColumns: ReadonlySet<number> }
}

function notesOf({ workbook, sheet, layout, facts, seen }: ReadSheet): string[] {
  const { sheets, computesOnLoad } = workbook
  const { sheet: asked, merged } = layout
  const others = sheets
    .filter((other) => other !== sheet)
    .map(({ name, hidden }) => `'${name}'${hidden ? ' (hidden)' : ''}`)
  const hidden = [...seen.hiddenColumns].sort((a, b) => a - b).map(columnLetters)
  const of = (n: number, one: string, many: string) => (n === 1 ? `1 ${one}` : `${n} ${many}`)
  const notes = [
    asked === undefined && others.length > 0
      ? `sheet '${sheet.name}' was read; the others were not: ${others.join(', ')}`
      : '',
    sheet.hidden ? `sheet '${sheet.name}' is hidden` : '',
    seen.hiddenRows > 0 ? `${of(seen.hiddenRows, 'row is', 'rows are')} hidden, but read` : '',
    hidden.length > 0
      ? `${of(hidden.length, 'column is', 'columns are')} hidden, but read: ${hidden.join(', ')}`
      : '',
    facts.merged.length > 0 && merged !== 'fill'
      ? `${of(facts.merged.length, 'merged cell has', 'merged cells have')} a value only in the first cell (merged: 'fill' repeats it)`
      : '',
    facts.errors > 0 ? `${of(facts.errors, 'cell has', 'cells have')} an error such as #N/A` : '',
    computesOnLoad && facts.computed > 0
      ? `${of(facts.computed, 'formula', 'formulas')} may not have been computed by the program that wrote the workbook: if values are 0, save it in Excel or LibreOffice`
      : '',
    facts.formulas > 0
      ? `${of(facts.formulas, 'formula has', 'formulas have')} no computed value, so the formula itself was read: save the workbook in Excel or LibreOffice`
      : '',
  ]
  return notes.filter((note) => note !== '')
}
