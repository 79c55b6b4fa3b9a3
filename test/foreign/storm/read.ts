import type { Row } from './deeds.js'
import { duckdbHand, PyicebergHand } from './hands.js'

/** The rows of tables, or why one can't be read. */
export type Tables = Readonly<Record<string, readonly Row[] | string>>

/** All tables of the storm, as an engine reads them. */
export async function read(engine: 'PyIceberg' | 'DuckDB', url: string): Promise<Tables> {
  const pyiceberg = new PyicebergHand(url)
  try {
    if (engine === 'PyIceberg') return await pyiceberg.ask<Tables>('read', 'storm')
    return await byDuckdb(url, await pyiceberg.ask<string[]>('names', 'storm'))
  } finally {
    pyiceberg.helper.stop()
  }
}

async function byDuckdb(url: string, names: readonly string[]): Promise<Tables> {
  const { helper } = duckdbHand(url)
  const found: Record<string, Row[] | string> = {}
  for (const name of names) {
    const sql = [`SELECT writer, seq, value FROM lake.storm.${name}`]
    found[name] = await helper.ask<[string, string, string][]>({ sql }).then(
      (rows) =>
        rows.map(([writer, seq, value]) => ({ writer, seq: Number(seq), value: Number(value) })),
      (error: Error) => error.message,
    )
  }
  helper.stop()
  return found
}
