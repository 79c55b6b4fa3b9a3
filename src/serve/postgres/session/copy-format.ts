import type { Command } from '../sql/command.js'

const escapes: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
}

/** Lines of COPY, as texts or as CSV. */
export class CopyFormat {
  constructor(
    private readonly options: Pick<
      Extract<Command, { kind: 'copy' }>,
      'csv' | 'delimiter' | 'null'
    >,
  ) {}

  line(values: readonly (Buffer | string | null)[]): string {
    const { csv, delimiter, null: none } = this.options
    const shown = values.map((value) => {
      if (value === null) return none
      const text = String(value)
      return csv ? this.quoted(text) : this.escaped(text)
    })
    return `${shown.join(delimiter)}\n`
  }

  private quoted(text: string): string {
    const { delimiter, null: none } = this.options
    const isPlain = text !== none && !/["\r\n]/.test(text) && !text.includes(delimiter)
    return isPlain && text !== '\\.' ? text : `"${text.replaceAll('"', '""')}"`
  }

  private escaped(text: string): string {
    const { delimiter } = this.options
    const safe = text.replace(/[\b\f\n\r\t\v\\]/g, (found) => escapes[found] as string)
    return escapes[delimiter] ? safe : safe.replaceAll(delimiter, `\\${delimiter}`)
  }
}
