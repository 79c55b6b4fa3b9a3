import type { Dialect } from '../sql/dialect.js'

/**
 * JavaScript that a check needs where SQL can't say it exactly. The engine offers it to SQL as a
 * function of one text (or NULL) that returns a text (or NULL). It takes the text's bytes, as
 * `encode(text)` gives them: the driver would drop a byte order mark at the start of a text.
 */
export interface JsFunction {
  name: string
  call: (text: string | null) => string | null
}

/**
 * Runs SQL, and makes JavaScript callable from it: a session of the engine. SQL is compiled for one
 * of these, so that there is none whose functions nobody knows.
 */
export interface Host {
  readonly dialect: Dialect
  readonly files: {
    /** Adds a function; returns the name by which SQL calls it. */
    addFunction(call: JsFunction['call']): string
  }
}

/** Makes JavaScript callable from SQL; returns how SQL calls it with an argument. */
function callable(
  { dialect, files }: Host,
  call: JsFunction['call'],
): (argument: string) => string {
  const name = files.addFunction(call)
  return (argument) => `"${name}"(${dialect.texts.utf8(argument)})`
}

/**
 * What a schema's own JavaScript is asked about each row: the text of a column, or the whole row.
 * It is asked between two passes of SQL, so that it may run in other threads.
 */
export interface Question {
  /** The column whose check answers, or `null` for those of the row as a whole. */
  of: string | null
  /** The column that holds the text to ask about, as the pass before computes it. */
  text: string
  /** The column that the answers come in. */
  answer: string
}

/** Expressions that later ones refer to by alias; those of a layer see the layers before. */
export type Layers = { alias: string; sql: string }[][]

/** What the columns of one dataset gather while they are compiled. */
export class Workspace {
  readonly questions: Question[] = []
  readonly asking: Layers = []
  /** What can only be computed when the questions were answered. */
  readonly answered: Layers = []
  private aliases = 0

  constructor(readonly host: Host) {}

  bind(sql: string, layers: Layers, depth: number): string {
    const alias = `v${this.aliases++}`
    const layer = layers[depth] ?? []
    layer.push({ alias, sql })
    layers[depth] = layer
    return alias
  }

  ask(of: string, text: string): string {
    const answer = `a${this.questions.length}`
    this.questions.push({ of, text, answer })
    return answer
  }
}

/** What SQL is compiled in: how the engine spells it, and where an expression is computed once. */
export interface Compiling {
  readonly dialect: Dialect
  /** Computes an expression once; what comes back stands for it. */
  bind(sql: string): string
}

/** The workspace as one column's compilation uses it. */
export class Context implements Compiling {
  private depth = 0
  private layers: Layers

  constructor(private readonly workspace: Workspace) {
    this.layers = workspace.asking
  }

  get dialect(): Dialect {
    return this.workspace.host.dialect
  }

  /** Computes an expression once; what comes back stands for it in later SQL of this column. */
  bind(sql: string): string {
    return this.workspace.bind(sql, this.layers, this.depth++)
  }

  /** Asks the JavaScript of a column about a bound text; what comes back stands for the answer. */
  ask(of: string, text: string): string {
    const answer = this.workspace.ask(of, text)
    this.layers = this.workspace.answered
    this.depth = 0
    return answer
  }

  /** Makes a function known and returns SQL that calls it. */
  add(call: JsFunction['call']): (argument: string) => string {
    return callable(this.workspace.host, call)
  }

  /**
   * SQL that is used for texts of plain ASCII, and JavaScript for all others: fast where case,
   * length and white space are the same everywhere, exact where they are not.
   */
  asciiOr(text: string, ascii: string, call: JsFunction['call'], convert = (sql: string) => sql) {
    const slow = convert(this.add(call)(text))
    const { bytes, length } = this.dialect.texts
    return `CASE WHEN ${bytes(text)} = ${length(text)} THEN ${ascii} ELSE ${slow} END`
  }
}
