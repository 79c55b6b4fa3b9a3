import type { Ask } from '../dialect.js'

/** The database, if one is named, and the name of a table. */
export function namesOf(table: string): [string | null, string] {
  const [, database, name] = /^(?:`?([^`.]+)`?\.)?`?([^`.]+)`?$/.exec(table) ?? []
  return [database ?? null, name ?? table]
}

/** About how many bytes a table has. */
export async function dataLength(ask: Ask, table: string): Promise<number> {
  const [[bytes] = []] = await ask(
    'SELECT data_length FROM information_schema.tables WHERE table_schema = coalesce(?, database()) AND table_name = ?',
    namesOf(table),
  )
  return Number(bytes ?? 0)
}
