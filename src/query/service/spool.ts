import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { RowValue } from '../../engine/engine.js'
import { scratchFolder } from '../../storage/scratch.js'

/** A batch of rows in the file. */
interface Piece {
  /** The number of its first row. */
  first: number
  rows: number
  at: number
  bytes: number
}

/**
 * Rows of a result that are read later, and in pages: in memory while they are few, then in a file
 * of this machine.
 */
export class Spool {
  rows = 0
  /** Bytes of what is kept. */
  bytes = 0
  private readonly pieces: Piece[] = []
  private held: Buffer[] = []
  private file: FileHandle | undefined
  private folder: string | undefined

  /** @param most bytes that are kept in memory. */
  constructor(private readonly most = 2 ** 20) {}

  async add(rows: readonly RowValue[][]): Promise<void> {
    if (rows.length === 0) return
    const text = serialize(rows)
    this.pieces.push({ first: this.rows, rows: rows.length, at: this.bytes, bytes: text.length })
    this.rows += rows.length
    this.bytes += text.length
    this.held.push(text)
    if (this.file || this.bytes > this.most) await this.toFile()
  }

  /** Rows from a number on, at most so many. */
  async page(from: number, most: number): Promise<RowValue[][]> {
    const found: RowValue[][] = []
    for (const piece of this.pieces) {
      if (piece.first + piece.rows <= from) continue
      const rows = await this.rowsOf(piece)
      const start = Math.max(0, from - piece.first)
      found.push(...rows.slice(start, start + most - found.length))
      if (found.length >= most) break
    }
    return found
  }

  async *batches(): AsyncGenerator<RowValue[][]> {
    for (const piece of this.pieces) yield this.rowsOf(piece)
  }

  async close(): Promise<void> {
    this.held = []
    await this.file?.close()
    this.file = undefined
    if (this.folder) await rm(this.folder, { recursive: true, force: true })
  }

  private async toFile(): Promise<void> {
    if (!this.file) {
      this.folder = await scratchFolder('result')
      this.file = await open(join(this.folder, 'rows'), 'wx+', 0o600)
    }
    const [all, at] = [Buffer.concat(this.held), this.bytes]
    this.held = []
    await this.file.write(all, 0, all.length, at - all.length)
  }

  private async rowsOf({ at, bytes }: Piece): Promise<RowValue[][]> {
    const text = this.file
      ? (await this.file.read(Buffer.alloc(bytes), 0, bytes, at)).buffer
      : Buffer.concat(this.held).subarray(at, at + bytes)
    return deserialize(text) as RowValue[][]
  }
}
