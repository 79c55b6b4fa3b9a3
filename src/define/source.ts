import type { SourceLocation } from '../errors.js'

/**
 * Where the rows of a bronze dataset come from, as data. Connectors in `moraine/sources` make
 * these; the room `source/` knows how to read them.
 */
export type Source<C extends string = string> =
  | FilesSource<C>
  | DatabaseSource<C>
  | HttpSource<C>
  | IngestSource<C>
  | InboxSource<C>

/** How files are laid out that are no delimited text. */
export type Layout =
  /**
   * A JSON object a line; or documents, whose arrays are at `rows`: the names of the keys that lead
   * there, between dots.
   */
  | { readonly kind: 'json'; readonly lines: boolean; readonly rows: string | undefined }
  /**
   * Elements of a name; without one, those that the outermost element has. Elements in `lists` are
   * lists however many there are.
   */
  | { readonly kind: 'xml'; readonly rows: string | undefined; readonly lists: readonly string[] }
  /** A pattern with named groups that each line matches as a whole. */
  | { readonly kind: 'pattern'; readonly pattern: RegExp }
  /** `key=value` pairs on each line. */
  | { readonly kind: 'pairs' }
  /** Columns of so many characters each. */
  | { readonly kind: 'fixed'; readonly widths: readonly number[] }
  | { readonly kind: 'parquet' }
  | { readonly kind: 'avro' }
  /** A sheet: by its name or number, or else the first that is not hidden. */
  | {
      readonly kind: 'excel'
      readonly sheet: string | number | undefined
      /** The cells that are read, as Excel writes them: `B3:F200`. */
      readonly range: string | undefined
      readonly header: boolean
      /**
       * The rows that name the columns, by their numbers; `undefined`: the first that has a value.
       */
      readonly headerRows: readonly [first: number, last: number] | undefined
      /**
       * What cells hold that are merged with others: the first one alone has the value, or all of
       * them.
       */
      readonly merged: 'first' | 'fill'
    }

/** What becomes of columns that come, go or change in the source. */
export type Drift = 'evolve' | 'freeze' | 'discard'

/** Files, of delimited text where no layout says otherwise. */
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
  /**
   * Names of columns: all of them in files without a header, otherwise those that must be there.
   * `undefined`: as the file says.
   */
  readonly columns: readonly C[] | undefined
  /** Texts that stand for NULL when they are not quoted. */
  readonly nulls: readonly string[]
  readonly layout: Layout | undefined
  /** How their characters are encoded, where it is not UTF-8: a label of the Encoding Standard. */
  readonly encoding: string | undefined
  /** Physical lines before the header, or before the first record. */
  readonly skip?: number
  /** Records that together name the columns; 1 where there is a header and nothing else is said. */
  readonly headerRows?: number
  /** Lines at the end that are no records; blank ones at the very end are not counted. */
  readonly footer?: number
  /** What lines begin with that are no records. */
  readonly comment?: string
  /** The character that takes the meaning from the one after it. */
  readonly escape?: string
  /**
   * Files are logs that grow and are rotated; `event`: what the first line of each event matches,
   * where it has several.
   */
  readonly follow?: { readonly event: RegExp | undefined }
  /** Folders such as `day=2026-01-05` are columns. */
  readonly hive?: boolean
  /** What becomes of columns that come or go; without it they are taken as they are. */
  readonly drift?: Drift
  /** The definition says what the files are, rather than their endings. */
  readonly formatIsSaid?: boolean
  /**
   * How files of other endings than that of the path are read; also those whose first bytes tell
   * what they are, where no ending does.
   */
  readonly readers?: Readonly<Record<string, FilesSource<C>>>
  /** Set where the files that are there do not add up, but each export holds all rows. */
  readonly full?: FullExports
  /** Only so many rows are read, in the order of the files' names: a sample. */
  readonly most?: number
  /** The share of rows that may be gone from one full export to the next. */
  readonly maxShrink?: number | undefined
}

/** How exports that each hold everything are told apart, and which is the newest. */
export interface FullExports {
  /**
   * What belongs together: each file for itself, those of a folder, or those in whose names a
   * pattern finds the same.
   */
  readonly by: 'file' | 'folder' | RegExp
  /** Whether names tell the order, numbers in them by their size, or the times of files. */
  readonly newest: 'name' | 'modified'
}

/** Stands where a source is missing, once that is said. */
export const noSource: FilesSource = {
  kind: 'files',
  paths: [],
  base: '',
  delimiter: ',',
  quote: null,
  header: true,
  columns: undefined,
  nulls: [],
  layout: undefined,
  encoding: undefined,
}

/** Files that others drop into a folder, which is emptied as they are taken in. */
export interface InboxSource<C extends string = string> {
  readonly kind: 'inbox'
  /** A folder, or a prefix of a bucket; `undefined`: the lake's own, `bronze/landing/<dataset>`. */
  readonly path: string | undefined
  /** The folder of the file that defined the source. */
  readonly base: string
  /** How a file is read, by the ending of its name; `''` is for all others. Paths are left out. */
  readonly readers: Readonly<Record<string, FilesSource<C>>>
  readonly columns: readonly C[] | undefined
  /** Milliseconds for which a file must not have changed before it is taken. */
  readonly settle: number
  /** What must be shown by who says that files have arrived. */
  readonly token: Secret | undefined
  /** The address of a queue of SQS into which a bucket says what has arrived. */
  readonly queue: string | undefined
  /** Rows of a database that are laid into the inbox as files. */
  readonly feed: DatabaseSource<C> | undefined
}

/** The kinds of databases that are read; MariaDB is read as MySQL is. */
export type DatabaseKind = 'postgres' | 'mysql' | 'sqlserver'

/**
 * How a database is reached. What is not given comes from the URL, and then from the client's own
 * defaults.
 */
export interface Connection {
  /**
   * `postgres://user:password@host:5432/database`, or `secret('env:SHOP_URL')`; `undefined` when
   * the environment does not have it.
   */
  readonly url?: Secret | undefined
  readonly host?: string
  readonly port?: number
  readonly user?: string
  /**
   * The password, or a function that gives one for each connection, such as a token that expires.
   */
  readonly password?: string | (() => string | Promise<string>)
  readonly database?: string
  /**
   * `true`: encrypted, with a certificate that holds; an object for more. A connection that can't
   * be encrypted then fails.
   */
  readonly tls?: boolean | TlsOptions
  /**
   * Jobs of `moraine serve` that may read it at the same time; as many as there are when not given.
   */
  readonly concurrency?: number
}

/** The same once its secret URL is known. */
export type OpenConnection = Omit<Connection, 'url'> & { readonly url?: string | undefined }

export interface TlsOptions {
  /** Certificate of the authority, in PEM. */
  readonly ca?: string
  /** `false`: any certificate will do. */
  readonly verify?: boolean
}

/** Rows of a table, a view or a query of a database. */
export interface DatabaseSource<C extends string = string> {
  readonly kind: 'database'
  readonly database: DatabaseKind
  readonly connection: Connection
  /** A table's or a view's name, as SQL would say it, or a query. */
  readonly reads: { readonly table: string } | { readonly query: string }
  /** The columns to read; all without it. */
  readonly columns: readonly C[] | undefined
  /** A condition in the database's SQL; only rows that meet it are read. */
  readonly where: string | undefined
  /** Columns that tell rows apart. */
  readonly key: readonly C[]
  /** The column by which new and changed rows are found; without it all rows are read each time. */
  readonly cursor: C | undefined
  /** Seconds before now in which rows may still appear with cursors that are earlier. */
  readonly lag: number
  readonly drift: Drift
  /** Whether keys are compared with those of the source, to find rows that are gone from it. */
  readonly compareKeys: boolean
  /** The share of rows that may be gone from one full extract to the next. */
  readonly maxShrink?: number | undefined
  /** Where its database was said. */
  readonly place?: SourceLocation | undefined
}

/** A text, or a function that gives one whenever it is needed, such as `secret('env:TOKEN')`. */
export type Secret = string | (() => string | Promise<string>)

/** How requests say who asks. It is sent to the source's own origin alone. */
export type HttpAuth =
  | { readonly bearer: Secret }
  | { readonly user: string; readonly password: Secret }
  | { readonly header: string; readonly value: Secret }
  /** OAuth 2, client credentials (RFC 6749, 4.4). */
  | {
      readonly tokenUrl: string
      readonly clientId: string
      readonly clientSecret: Secret
      readonly scope?: string
    }

/** How an API hands out its rows in pages, and what ends them. */
export type Paging = PagingKind & PagingEnd

export type PagingKind =
  /** A number that counts pages, until one has no rows. */
  | { readonly page: string; readonly first?: number }
  /** The number of rows to pass over, until a page has none. */
  | { readonly offset: string }
  /** The value that the last row has in a column, until a page has no rows. */
  | { readonly after: string; readonly column: string }
  /** A value of each answer that is a parameter of the next request, until there is none. */
  | { readonly cursor: string; readonly next: string }
  /** The address of the next page, in each answer. */
  | { readonly next: string }
  /**
   * The address of the next page, in the header `Link` (RFC 8288) or, in XML, in an element `link`
   * (RFC 4287).
   */
  | { readonly link: true }

/**
 * What ends pages beside that there is no next one: `short`, a page with fewer than `size` rows;
 * `not found`, an answer 404 after the first page.
 */
export type PagingUntil = 'short' | 'not found'

export interface PagingEnd {
  /** The parameter that says how many rows a page has, and how many are asked for by it. */
  readonly limit?: string
  readonly size?: number
  /**
   * Where each answer says whether there are more pages: `has_more`,
   * `data.orders.pageInfo.hasNextPage`.
   */
  readonly more?: string
  readonly until?: PagingUntil | readonly PagingUntil[]
}

/** A value of a body: JSON, in which secrets are looked up when it is sent. */
export type BodyValue =
  | string
  | number
  | boolean
  | null
  | (() => string | Promise<string>)
  | readonly BodyValue[]
  | { readonly [name: string]: BodyValue }

/** Rows that are answers to HTTP requests. */
export interface HttpSource<C extends string = string> {
  readonly kind: 'http'
  readonly url: string
  readonly method: 'GET' | 'POST'
  /** JSON, or a text that is sent as it is. */
  readonly body: string | Readonly<Record<string, BodyValue>> | undefined
  /** A query of GraphQL, in place of a body. */
  readonly graphql:
    | { readonly query: string; readonly variables: Readonly<Record<string, BodyValue>> }
    | undefined
  /** Where parameters of pages and of the cursor go. */
  readonly parametersIn: 'query' | 'body'
  /** `undefined`: as the answer says. */
  readonly format: 'json' | 'jsonl' | 'csv' | 'xml' | undefined
  /**
   * Where the rows are: in JSON the keys that lead there, between dots; in XML the name of their
   * element.
   */
  readonly rows: string | undefined
  /** In XML: elements that are lists however many there are. */
  readonly lists: readonly string[]
  readonly columns: readonly C[] | undefined
  readonly headers: Readonly<Record<string, Secret>>
  readonly params: Readonly<Record<string, Secret>>
  readonly auth: HttpAuth | undefined
  readonly paging: Paging | undefined
  /** The share of rows that may be gone from one full extract to the next. */
  readonly maxShrink?: number | undefined
  /** Places of an answer that look as if there were more, and do not mean it. */
  readonly ignoreMore: readonly string[]
  /** The column by which new and changed rows are found, and the parameter that asks for them. */
  readonly cursor:
    | { readonly column: C; readonly param: string; readonly start: string | undefined }
    | undefined
  /** Only so many rows are read: a sample. */
  readonly most?: number
  /** Whether redirects and next pages may lead to addresses of private networks. */
  readonly allowPrivate: boolean
  /** Milliseconds between two requests. */
  readonly pause: number
  /** Pages that are read at most. */
  readonly pages: number
  /** Milliseconds that an answer may take to go on. */
  readonly timeout: number
}

/** Rows that others send to this lake's server. */
export interface IngestSource<C extends string = string> {
  readonly kind: 'ingest'
  /**
   * What senders must show; `undefined`: nothing, but then they must be on the server's own
   * machine.
   */
  readonly token: Secret | undefined
  readonly columns: readonly C[] | undefined
  /** Bytes of one request at most. */
  readonly maxBytes: number
}
