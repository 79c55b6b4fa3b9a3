/** A column of a source, as a crawl found it. */
export interface FoundColumn {
  name: string
  /** The schema that reads it, as TypeScript: `t.decimal(12, 2)`. */
  schema: string
  nullable: boolean
  /** The source's own name of the type, where it has one. */
  native?: string
  /** What somebody should know who reads the schema. */
  note?: string
  /** What the source says it is for. */
  description?: string
}

/** A table of a source, as a crawl found it. */
export interface FoundTable {
  /** A name that a dataset can have. */
  name: string
  /** What it is in the source: `public.orders`, `orders/*.csv`. */
  at: string
  /** Where its rows come from, as TypeScript. */
  from: string
  /** The rows that there are, about; `null` where nobody knows. */
  rows: number | null
  /** The rows are the source's own estimate. */
  estimated?: true
  /** What the source says it is for. */
  description?: string
  columns: FoundColumn[]
  /** Columns that tell rows apart. */
  key: string[]
  /** The column that tells when a row was changed. */
  cursor?: string
  /** Columns that are not in the rows: their expressions, as SQL. */
  derived?: Readonly<Record<string, string>>
  /** What was looked at, where that is not all of it. */
  sampled?: string
  /** The source does not have it any more. */
  deprecated?: true
}

/** All that a crawl found in one place. */
export interface Found {
  /** What is imported from `moraine/sources`, and what is written before the datasets. */
  imports: string[]
  preamble: string[]
  tables: FoundTable[]
  notes: string[]
}

/** A name for a dataset: letters, digits and `_`, a letter first; each once. */
export function datasetName(text: string, taken: ReadonlySet<string>): string {
  const plain = text
    .normalize('NFKD')
    .replace(/[^\w]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase()
  const name = plain === '' ? 'rows' : /^[a-z]/.test(plain) ? plain : `t_${plain}`
  for (let i = 1; ; i++) {
    const found = i === 1 ? name : `${name}_${i}`
    if (!taken.has(found)) return found
  }
}
