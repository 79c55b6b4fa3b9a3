import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { Drift, FilesSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { columnsOf } from '../../step/batches.js'

/** The columns that files of a dataset had. */
export interface KnownColumns {
  /** All that any of them ever had. */
  columns: readonly string[]
  /** Those of the newest. */
  latest: readonly string[]
}

/** Files of which something is to be said, in the order in which they came. */
interface Notice {
  text: (files: string) => string
  files: string[]
}

/**
 * Compares the columns of files with those of the files before them, and says what becomes of
 * others, as the source's `drift` has it.
 */
export class FileColumns {
  private readonly notices = new Map<string, Notice>()
  private known: KnownColumns

  constructor(
    private readonly dataset: Bronze,
    private readonly drift: Drift,
    before: KnownColumns,
  ) {
    this.known = before
  }

  /** All columns that files had, these included. */
  get all(): KnownColumns {
    return this.known
  }

  /** The columns that are kept; `undefined`: all. */
  get only(): ReadonlySet<string> | undefined {
    if (this.drift !== 'discard' || this.known.columns.length === 0) return undefined
    return new Set(this.known.columns.map((name) => name.toLowerCase()))
  }

  /**
   * Compares the columns of a file with those before.
   *
   * @throws MoraineError where they may not be others than those of the files before it.
   */
  compare(
    file: string,
    columns: readonly string[],
    leftOut: readonly string[],
    reader: FilesSource,
  ): void {
    const { known } = this
    const before = lower(known.columns)
    const own = lower(columns)
    const isFirst = known.columns.length === 0
    const fresh = isFirst ? [] : columns.filter((name) => !before.has(name.toLowerCase()))
    // Where names come row by row, one that is missing says nothing.
    const lacking = hasHeader(reader)
      ? known.latest.filter((name) => !own.has(name.toLowerCase()))
      : []
    if (this.drift === 'freeze' && fresh.length + lacking.length > 0)
      throw this.frozen(file, fresh, lacking)
    for (const name of fresh)
      this.tell(`column '${name}' is new`, file, (at) => `column '${name}' is new, in ${at}`)
    for (const name of lacking)
      this.tell(`no '${name}'`, file, (at) => `column '${name}' is not in ${at}`)
    for (const name of leftOut)
      this.tell(
        `'${name}' ignored`,
        file,
        (at) => `column '${name}' of ${at} is ignored (drift: 'discard')`,
      )
    this.known = { columns: columnsOf([known, { columns }]), latest: [...columns] }
  }

  /** What is to be said of columns. */
  notes(): string[] {
    return [...this.notices.values()].map(({ text, files: [first = '', ...others] }) =>
      text(others.length === 0 ? first : `${first} and ${others.length} more`),
    )
  }

  private tell(key: string, file: string, text: Notice['text']): void {
    const known = this.notices.get(key)
    if (known) known.files.push(file)
    else this.notices.set(key, { text, files: [file] })
  }

  private frozen(file: string, fresh: readonly string[], lacking: readonly string[]): MoraineError {
    const text = [
      ...lacking.map((name) => `column '${name}' was removed`),
      ...fresh.map((name) => `column '${name}' is new`),
    ].join(', ')
    // No fault of the file's bytes: the definition says so.
    return new MoraineError('quality', `The columns of ${file} have changed: ${text}`, {
      doing: `read ${fullName(this.dataset)}`,
      hint: "Nothing was ingested. Accept the change with drift: 'evolve' (or ignore new columns with drift: 'discard'), or remove the file.",
      place: this.dataset.place,
    })
  }
}

const lower = (names: readonly string[]) => new Set(names.map((name) => name.toLowerCase()))

/** Whether a file says which columns all of its rows have. */
function hasHeader({ layout, header }: FilesSource): boolean {
  return layout ? ['parquet', 'avro', 'excel'].includes(layout.kind) : header
}
