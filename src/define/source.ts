/**
 * Where the rows of a bronze dataset come from, as data. Connectors in `moraine/sources` make these;
 * the room `source/` knows how to read them.
 */
export type Source<C extends string = string> = FilesSource<C>

/** Delimited text files. */
export interface FilesSource<C extends string = string> {
  readonly kind: 'files'
  /** Paths or globs; relative ones start at `base`. */
  readonly paths: readonly string[]
  /** The folder of the file that defined the source. */
  readonly base: string
  readonly delimiter: string
  /** The quote character; `null` when quotes have no meaning. */
  readonly quote: string | null
  /** Whether the first record names the columns. */
  readonly header: boolean
  /** The columns' names in files without a header; `undefined`: as the header says. */
  readonly columns: readonly C[] | undefined
  /** Texts that stand for NULL when they are not quoted. */
  readonly nulls: readonly string[]
}
