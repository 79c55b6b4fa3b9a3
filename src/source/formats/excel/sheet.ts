import { TextItem } from './shared-strings.js'
import {
  columnIndex,
  type NumberKind,
  parseRange,
  type Range,
  shortestText,
  timeText,
  unescapeText,
} from './values.js'
import { isTrue, type SheetPart, type Workbook } from './workbook.js'

/** A row of a sheet that has at least one value. */
export interface SheetRow {
  /** Its number in the sheet, from 1. */
  number: number
  hidden: boolean
  /** Texts by the number of their column, from 0. */
  cells: Map<number, string>
}

/** What a sheet has beside its values. */
export interface SheetFacts {
  hiddenColumns: Range[]
  merged: Range[]
  /** Cells with errors, such as `#N/A`. */
  errors: number
  /** Formulas whose value the program that wrote them did not compute. */
  formulas: number
  /** Formulas that have one. */
  computed: number
}

/** Reads the rows of a sheet, some at a time; what the sheet has beside them is told to `facts`. */
export async function* sheetRows(
  workbook: Workbook,
  { path }: SheetPart,
  facts: SheetFacts,
): AsyncGenerator<readonly SheetRow[]> {
  const reader = new SheetReader(workbook, facts)
  for await (const _ of workbook.parts.stream(path, reader)) {
    const { rows } = reader
    reader.rows = []
    if (rows.length > 0) yield rows
  }
}

/** The ranges of a sheet that are merged into one cell each: they stand behind its rows. */
export async function mergedRanges({ parts }: Workbook, { path }: SheetPart): Promise<Range[]> {
  const found: Range[] = []
  const elements = {
    open: (name: string, { ref = '' }: Readonly<Record<string, string>>) => {
      const range = name === 'mergeCell' ? parseRange(ref) : undefined
      if (range) found.push(range)
    },
  }
  for await (const _ of parts.stream(path, elements)) {
    // Ranges are added as they are read.
  }
  return found
}

class SheetReader {
  rows: SheetRow[] = []
  private row: SheetRow = { number: 0, hidden: false, cells: new Map() }
  private inRow = false
  private inCell = false
  private column = -1
  private type = 'n'
  private style = 0
  private value = ''
  private formula: string | undefined
  private readonly inline = new TextItem()
  private reading: 'value' | 'formula' | 'inline' | undefined

  constructor(
    private readonly workbook: Workbook,
    private readonly facts: SheetFacts,
  ) {}

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    if (this.inCell) this.openInCell(name)
    else if (name === 'c' && this.inRow) this.openCell(attributes)
    else if (name === 'row') this.openRow(attributes)
    else if (name === 'mergeCell') this.add(this.facts.merged, attributes.ref)
    else if (name === 'col' && isTrue(attributes.hidden)) {
      const firstColumn = Number(attributes.min) - 1
      const lastColumn = Number(attributes.max) - 1
      this.facts.hiddenColumns.push({ firstRow: 1, lastRow: 1, firstColumn, lastColumn })
    }
  }

  text(text: string): void {
    if (this.reading === 'value') this.value += text
    else if (this.reading === 'inline') this.inline.add(text)
    else if (this.reading === 'formula') this.formula += text
  }

  close(name: string): void {
    if (!this.inCell) {
      if (name !== 'row' || !this.inRow) return
      this.inRow = false
      if (this.row.cells.size > 0) this.rows.push(this.row)
    } else if (name === 'c') this.closeCell()
    else if (this.reading === 'inline' && name !== 'is') this.inline.close(name)
    else if (name === 'v' || name === 'f' || name === 'is') this.reading = undefined
  }

  private add(to: Range[], ref = ''): void {
    const range = parseRange(ref)
    if (range) to.push(range)
  }

  private openRow({ r, hidden }: Readonly<Record<string, string>>): void {
    const number = r === undefined ? this.row.number + 1 : Number(r)
    if (!(number > this.row.number)) throw new Error(`row ${r} comes after row ${this.row.number}`)
    this.row = { number, hidden: isTrue(hidden), cells: new Map() }
    this.inRow = true
    this.column = -1
  }

  private openCell({ r, t, s }: Readonly<Record<string, string>>): void {
    this.column = r === undefined ? this.column + 1 : columnOf(r)
    this.type = t ?? 'n'
    this.style = s === undefined ? 0 : Number(s)
    this.value = ''
    this.formula = undefined
    this.inline.begin()
    this.inCell = true
    this.reading = undefined
  }

  private openInCell(name: string): void {
    if (this.reading === 'inline') this.inline.open(name)
    else if (name === 'v') this.reading = 'value'
    else if (name === 'is') this.reading = 'inline'
    else if (name === 'f') {
      this.reading = 'formula'
      this.formula = ''
    }
  }

  private closeCell(): void {
    this.inCell = false
    const text = this.cellText()
    if (this.formula !== undefined && !text?.startsWith('=')) this.facts.computed++
    if (text !== undefined) this.row.cells.set(this.column, text)
  }

  private cellText(): string | undefined {
    const { type, value, formula } = this
    if (type === 'inlineStr') return this.inline.text
    if (type === 'str') return unescapeText(value)
    if (value === '') {
      if (formula === undefined) return undefined
      this.facts.formulas++
      return `=${formula}`
    }
    if (type === 's') {
      const text = this.workbook.strings.get(Number(value))
      if (text === undefined) throw new Error(`there is no shared string ${value}`)
      return text
    }
    if (type === 'b') return isTrue(value) ? 'true' : 'false'
    if (type === 'd') return isoText(value)
    if (type === 'e') {
      this.facts.errors++
      return value
    }
    return this.numberText(value)
  }

  private numberText(value: string): string {
    const kind: NumberKind = this.workbook.kinds[this.style] ?? 'number'
    const number = kind === 'number' ? Number.NaN : Number(value)
    if (!Number.isNaN(number)) return timeText(number, kind, this.workbook.system)
    const text = shortestText(value.trim())
    if (text === undefined) throw new Error(`${value.slice(0, 40)} is not a number`)
    return text
  }
}

/** ISO 8601 as the strict dialect has it: a midnight that is nothing but the day is the day. */
function isoText(value: string): string {
  return value.replace(/^(\d{4}-\d\d-\d\d)T00:00:00(\.0+)?Z?$/, '$1').replace('T', ' ')
}

/** The column of a cell by its reference: `C5` is 2. */
function columnOf(ref: string): number {
  const letters = /^[A-Za-z]{1,3}(?=\d+$)/.exec(ref)?.[0]
  const column = letters === undefined ? -1 : columnIndex(letters)
  if (column < 0 || column >= 16_384) throw new Error(`there is no cell ${ref.slice(0, 20)}`)
  return column
}
