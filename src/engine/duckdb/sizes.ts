import type { DuckDBInstance } from './driver.js'

/**
 * What an instance can't be created with, for all of its connections: times are those of UTC, and
 * no more is spilled than so many bytes.
 */
export async function settle(instance: DuckDBInstance, spill: number): Promise<void> {
  const connection = await instance.connect()
  try {
    await connection.run("SET GLOBAL TimeZone = 'UTC'")
    if (spill < Number.POSITIVE_INFINITY)
      await connection.run(`SET max_temp_directory_size = '${kibibytes(spill)}'`)
  } finally {
    connection.closeSync()
  }
}

/** A size as the engine reads it. */
export function kibibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}KiB`
}
