import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { scratchFolder } from '../../storage/scratch.js'
import type { SystemRow } from './system-table.js'

/** A folder of a query, made when it is asked for. */
export class Scratch {
  private made: Promise<string> | undefined

  readonly folder = (): Promise<string> => {
    this.made ??= scratchFolder('system')
    return this.made
  }

  async remove(): Promise<void> {
    const folder = await this.made?.catch(() => undefined)
    if (folder) await rm(folder, { recursive: true, force: true })
  }
}

/** Characters that are written at a time. */
const CHUNK = 2 ** 16

/** A file with a row as JSON on each line. */
export interface LinesFile {
  location: string
  /** Bytes of the longest line. */
  longest: number
}

/** Writes rows as lines of JSON. */
export async function writeLines(
  folder: string,
  rows: AsyncIterable<SystemRow>,
): Promise<LinesFile> {
  let longest = 0
  const measured = (line: string) => {
    longest = Math.max(longest, Buffer.byteLength(line))
    return line
  }
  const path = join(folder, `${randomUUID()}.jsonl`)
  await pipeline(Readable.from(linesOf(rows, measured)), createWriteStream(path, { mode: 0o600 }))
  return { location: pathToFileURL(path).href, longest }
}

/** What the engine takes for a text: users write any, and cut ones end in half a letter. */
const readable = (_: string, value: unknown) =>
  typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\uFFFD') : value

async function* linesOf(
  rows: AsyncIterable<SystemRow>,
  measured: (line: string) => string,
): AsyncGenerator<string> {
  let text = ''
  for await (const row of rows) {
    text += measured(`${JSON.stringify(row, readable)}\n`)
    if (text.length < CHUNK) continue
    yield text
    text = ''
  }
  if (text !== '') yield text
}
