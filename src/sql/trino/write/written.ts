import type { TrinoType } from '../types.js'

/** A value as the engine's SQL has it, with its type in Trino. */
export interface Written {
  sql: string
  /** `undefined` where it is not known: what depends on it is refused. */
  type: TrinoType | undefined
  at: number
  /** The text of a constant. */
  word?: string
  /** Whether it is a constant or a column, which may be written twice. */
  isPlain?: boolean
  /** Of a row that is written as one: its fields. */
  items?: readonly Written[]
  /**
   * Of a lambda: how it is written once its parameters' types are known, and what stands for them
   * where its body alone is written.
   */
  lambda?: (types: readonly (TrinoType | undefined)[], named?: readonly string[]) => Written
}

/** A value that is needed more than once: computed once, whatever it is. */
export function once(
  values: Readonly<Record<string, Pick<Written, 'sql' | 'isPlain'>>>,
  write: (names: Readonly<Record<string, string>>) => string,
): string {
  const entries = Object.entries(values)
  if (entries.every(([, { isPlain }]) => isPlain))
    return write(Object.fromEntries(entries.map(([name, { sql }]) => [name, sql])))
  const fields = entries.map(([name, { sql }]) => `'${name}': ${sql}`).join(', ')
  // A lambda has its parameter for as long as one row is computed.
  const names = Object.fromEntries(entries.map(([name]) => [name, `"m o"."${name}"`]))
  return `list_transform([{${fields}}], lambda "m o": ${write(names)})[1]`
}

/** Values of which each is written more than once, by what is written with them. */
export function repeatable(
  values: readonly Written[],
  write: (values: readonly Written[]) => string,
): string {
  const isShort = ({ isPlain, word, items }: Written) => isPlain || word !== undefined || items
  if (values.every(isShort)) return write(values)
  const entries = values.map((one, i) => [`v${i}`, one] as const)
  return once(Object.fromEntries(entries), (names) =>
    write(
      entries.map(([name, { items: _, ...one }]) => ({
        ...one,
        sql: names[name] as string,
        isPlain: true,
      })),
    ),
  )
}

/**
 * A branch of CASE that fails as Trino does. The engine's `error` can't be caught by TRY; a cast of
 * a text that is no boolean can, and says the text.
 */
export const failsWhen = (condition: string, message: string) =>
  `WHEN CASE WHEN ${condition} THEN CAST('${FAILED}${message.replaceAll("'", "''")}' AS BOOLEAN) END THEN NULL`

/** A branch of CASE that stops what is not translated: TRY does not make NULL of that. */
export const stopsWhen = (condition: string, message: string) =>
  `WHEN CASE WHEN ${condition} THEN ${STOPS}${message.replaceAll("'", "''")}') END THEN NULL`

const FAILED = 'Trino: '
const STOPS = `error('${FAILED}`

/** Whether something is written that stops what is not translated, which TRY can't have. */
export const mayStop = (sql: string) => sql.includes(STOPS)

/** What a statement failed with, where that was written into it. */
export const failureIn = (message: string): string | undefined =>
  /string 'Trino: (.*?)' to BOOL/s.exec(message)?.[1] ?? /Error: Trino: (.*)/.exec(message)?.[1]
