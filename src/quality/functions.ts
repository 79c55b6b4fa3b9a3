/**
 * JavaScript that a check needs where SQL can't say it exactly. The engine offers it to SQL as a
 * function of one text (or NULL) that returns a text (or NULL). It takes the text's bytes, as
 * `encode(text)` gives them: the driver would drop a byte order mark at the start of a text.
 */
export interface JsFunction {
  name: string
  call: (text: string | null) => string | null
}

/** What the columns of one dataset gather while they are compiled. */
export class Workspace {
  readonly functions: JsFunction[] = []
  /** Expressions that later ones refer to by alias; those of a layer see the layers before. */
  readonly layers: { alias: string; sql: string }[][] = []
  private aliases = 0

  constructor(private readonly prefix: string) {}

  addFunction(call: JsFunction['call']): string {
    const name = `${this.prefix}_${this.functions.length}`
    this.functions.push({ name, call })
    return name
  }

  bind(sql: string, depth: number): string {
    const alias = `v${this.aliases++}`
    const layer = this.layers[depth] ?? []
    layer.push({ alias, sql })
    this.layers[depth] = layer
    return alias
  }
}

/** The workspace as one column's compilation uses it. */
export class Context {
  private depth = 0

  constructor(private readonly workspace: Workspace) {}

  /** Computes an expression once; what comes back stands for it in later SQL of this column. */
  bind(sql: string): string {
    return this.workspace.bind(sql, this.depth++)
  }

  /** Registers a function and returns SQL that calls it. */
  add(call: JsFunction['call']): (argument: string) => string {
    const name = this.workspace.addFunction(call)
    return (argument) => `"${name}"(encode(${argument}))`
  }

  /**
   * SQL that is used for texts of plain ASCII, and JavaScript for all others: fast where case,
   * length and white space are the same everywhere, exact where they are not.
   */
  asciiOr(text: string, ascii: string, call: JsFunction['call'], convert = (sql: string) => sql) {
    const slow = convert(this.add(call)(text))
    return `CASE WHEN strlen(${text}) = length(${text}) THEN ${ascii} ELSE ${slow} END`
  }
}
