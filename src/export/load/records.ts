import { RECORDS } from '../../define/export/warehouse-problems.js'
import type { Rows, TableName, TargetDialect, TargetSession } from '../dialect.js'
import { type ExportRecord, figuresIn, figuresText } from '../record.js'

/** The columns of the table of records, in their order. */
const COLUMNS = [
  'table_name',
  'load_number',
  'lake',
  'dataset',
  'snapshot_id',
  'metadata_file',
  'lake_commit',
  'row_count',
  'content_hash',
  'column_list',
  'figures',
  'load_mode',
  'rows_written',
] as const

/** The comment of the table of records itself. */
const RECORDS_COMMENT = 'Moraine: which version of which dataset each table has'

const recordsTable = (schema: string | undefined): TableName => ({ schema, name: RECORDS })

/** Reads and writes what a target has: a row for each load, beside the tables. */
export class Records {
  constructor(
    private readonly dialect: TargetDialect,
    private readonly session: TargetSession,
    private readonly schema: string | undefined,
  ) {}

  get table(): string {
    return this.dialect.named(recordsTable(this.schema))
  }

  async exist(): Promise<boolean> {
    return (await this.dialect.find(this.session, recordsTable(this.schema))) !== undefined
  }

  /** Creates the table, and its schema, where they do not exist. */
  async create(): Promise<void> {
    if (await this.exist()) return
    // Exports of different tables may come to it at the same time.
    await this.dialect.lock(this.session, recordsTable(this.schema), () => {})
    if (this.schema !== undefined) await this.dialect.createSchema(this.session, this.schema)
    if (await this.exist()) return
    const { text, name, whole, now } = this.dialect.recordTypes
    const { quote } = this.dialect
    const types: Partial<Record<string, string>> = {
      table_name: `${name} NOT NULL`,
      load_number: `${whole} NOT NULL`,
      lake_commit: whole,
      row_count: whole,
      rows_written: whole,
    }
    const columns = [
      ...COLUMNS.map((column) => `${quote(column)} ${types[column] ?? text}`),
      `${quote('loaded_at')} ${now}`,
      `PRIMARY KEY (${quote('table_name')}, ${quote('load_number')})`,
    ]
    for (const sql of this.dialect.create(recordsTable(this.schema), columns, RECORDS_COMMENT))
      await this.session.ask(sql)
  }

  /** Copies the table, and writes a record to the copy alone; what the copy is called. */
  async addToCopy(record: ExportRecord): Promise<string> {
    const copy = { schema: this.schema, name: `${RECORDS}__new` }
    const into = this.dialect.named(copy)
    await this.session.ask(`DROP TABLE IF EXISTS ${into}`)
    await this.session.ask(`CREATE TABLE ${into} LIKE ${this.table}`)
    await this.session.ask(`INSERT INTO ${into} SELECT * FROM ${this.table}`)
    await this.add(record, into)
    return copy.name
  }

  /** The newest record of each table, or of one. */
  async latest(table?: string): Promise<ExportRecord[]> {
    const { quote, text } = this.dialect
    const number = quote('load_number')
    const name = quote('table_name')
    const only = table === undefined ? '' : ` AND r.${name} = ${text(table)}`
    const rows = await this.session.ask(
      `SELECT ${COLUMNS.map((column) => `r.${quote(column)}`).join(', ')} FROM ${this.table} r
      WHERE r.${number} = (SELECT max(o.${number}) FROM ${this.table} o WHERE o.${name} = r.${name})${only}`,
    )
    return recordsIn(rows)
  }

  /** @param into a copy of the table that takes its place later. */
  async add(record: ExportRecord, into = this.table): Promise<void> {
    const { quote, text } = this.dialect
    const values = [
      text(record.table),
      String(record.number),
      ...[record.lake, record.dataset, record.snapshot, record.metadata].map(text),
      String(record.commit),
      String(record.rows),
      text(record.hash),
      text(JSON.stringify(record.columns)),
      text(figuresText(record.figures)),
      text(record.mode),
      String(record.written),
    ]
    await this.session.ask(
      `INSERT INTO ${into} (${COLUMNS.map((column) => quote(column)).join(', ')}) VALUES (${values.join(', ')})`,
    )
  }
}

function recordsIn(rows: Rows): ExportRecord[] {
  return rows.flatMap((row) => {
    const at = (column: (typeof COLUMNS)[number]) => row[COLUMNS.indexOf(column)] ?? ''
    const figures = figuresIn(at('figures'))
    if (!figures) return []
    return [
      {
        table: at('table_name'),
        number: Number(at('load_number')),
        lake: at('lake'),
        dataset: at('dataset'),
        snapshot: at('snapshot_id'),
        metadata: at('metadata_file'),
        commit: Number(at('lake_commit')),
        rows: BigInt(at('row_count')),
        hash: at('content_hash'),
        columns: JSON.parse(at('column_list')) as ExportRecord['columns'],
        figures,
        mode: at('load_mode') === 'changes' ? 'changes' : 'replace',
        written: BigInt(at('rows_written')),
      },
    ]
  })
}
