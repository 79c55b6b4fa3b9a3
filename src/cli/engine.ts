import { totalmem } from 'node:os'
import type { Command } from 'commander'
import type { DuckDB } from '../engine/duckdb/duckdb.js'
import { MoraineError } from '../errors.js'

/** What the process needs beside the engine: Node, and what the engine does not count. */
const BESIDE = 400 * 2 ** 20
/** Below this nothing runs. */
const LEAST = 512 * 2 ** 20

const units = { kb: 1e3, mb: 1e6, gb: 1e9, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 }

/** Gives a command the option that {@link startEngine} reads. */
export function withMemory(command: Command): Command {
  return command.option(
    '--memory <size>',
    'memory to stay within, such as 2GB; what needs more goes to disk (default: 60 % of the machine)',
  )
}

/** Starts one of so many engines within the memory that the command line or MORAINE_MEMORY says, with the extensions of DuckDB in MORAINE_EXTENSIONS, or else its own folder. */
export async function startEngine(command: Command, shares = 1): Promise<DuckDB> {
  const text = command.opts<{ memory?: string }>().memory ?? process.env.MORAINE_MEMORY
  const { DuckDB } = await import('../engine/duckdb/duckdb.js')
  const extensions = process.env.MORAINE_EXTENSIONS
  const memory = text ? parseSize(text) - BESIDE : Math.floor(totalmem() * 0.6)
  return DuckDB.start({ extensions, memory: Math.max(memory / shares, LEAST / 4) })
}

function parseSize(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmg]i?b)$/i.exec(text.trim()) ?? []
  const bytes = Number(number) * (units[unit.toLowerCase() as keyof typeof units] ?? 0)
  if (bytes >= LEAST) return bytes
  throw new MoraineError('usage', `'${text}' is not a size of memory to work within`, {
    hint: 'Give a number and a unit, at least 512MiB: --memory 2GB',
  })
}
