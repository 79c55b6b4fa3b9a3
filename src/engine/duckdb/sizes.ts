import type { DuckDBInstance } from './driver.js'

/** By a statement: what an instance is created with has no effect. */
export async function limitSpill(instance: DuckDBInstance, bytes: number): Promise<void> {
  const connection = await instance.connect()
  await connection.run(`SET max_temp_directory_size = '${kibibytes(bytes)}'`)
  connection.closeSync()
}

/** A size as the engine reads it. */
export function kibibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}KiB`
}
