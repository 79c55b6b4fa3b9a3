import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { RowValue } from '../../engine/engine.js'
import type { diskOf } from '../../storage/disk.js'
import { scratchFolder } from '../../storage/scratch.js'
import { DiskRoom } from '../disk-room.js'

/** A batch of rows in the file. */
export interface Piece {
  /** The number of its first row. */
  first: number
  rows: number
  at: number
  bytes: number
}

/** Bytes after which a page ends. */
const LARGEST_PAGE = 16 * 2 ** 20

/** Where rows lie, and what they are kept on. */
export interface SpoolOptions {
  /** Bytes that are kept in memory; the rest goes to a file. */
  most?: number
  disk?: typeof diskOf
  /** A file that outlives the process; without it, one that goes with it. */
  path?: string | undefined
}

/**
 * Rows of a result that are read later, and in pages: in memory while they are few, then in a file
 * of this machine.
 */
export class Spool {
  rows = 0
  /** Bytes of what is kept. */
  bytes = 0
  private pieces: Piece[] = []
  private held: Buffer[] = []
  private file: FileHandle | undefined
  private folder: string | undefined
  private path: string | undefined
  private room: DiskRoom | undefined

  constructor(private readonly options: SpoolOptions = {}) {}

  /** Rows that another process has kept. */
  static at(path: string, pieces: readonly Piece[]): Spool {
    const spool = new Spool({ path })
    spool.path = path
    spool.pieces = [...pieces]
    spool.rows = pieces.reduce((sum, { rows }) => sum + rows, 0)
    spool.bytes = pieces.reduce((sum, { bytes }) => sum + bytes, 0)
    return spool
  }

  async add(rows: readonly RowValue[][]): Promise<void> {
    if (rows.length === 0) return
    const text = serialize(rows)
    this.pieces.push({ first: this.rows, rows: rows.length, at: this.bytes, bytes: text.length })
    this.rows += rows.length
    this.bytes += text.length
    this.held.push(text)
    if (this.file || this.bytes > (this.options.most ?? 2 ** 20)) await this.toFile()
  }

  /** Puts all rows into the file that outlives the process; returns where they are in it. */
  async keep(): Promise<Piece[]> {
    if (this.held.length > 0) await this.toFile()
    await this.file?.close()
    this.file = undefined
    return this.pieces
  }

  /** Rows from a number on, at most so many; fewer where they are large. */
  async page(from: number, most: number): Promise<RowValue[][]> {
    const found: RowValue[][] = []
    let bytes = 0
    for (const piece of this.pieces) {
      if (piece.first + piece.rows <= from) continue
      const rows = await this.rowsOf(piece)
      const start = Math.max(0, from - piece.first)
      found.push(...rows.slice(start, start + most - found.length))
      bytes += piece.bytes
      if (found.length >= most || bytes > LARGEST_PAGE) break
    }
    return found
  }

  /** Rows that were added at once, by the number of their batch. */
  batch(number: number): Promise<RowValue[][]> {
    return this.rowsOf(this.pieces[number] as Piece)
  }

  async *batches(): AsyncGenerator<RowValue[][]> {
    for (const piece of this.pieces) yield this.rowsOf(piece)
  }

  /** Ends it; its file is removed, unless that outlives the process. */
  async close(): Promise<void> {
    this.held = []
    await this.file?.close()
    this.file = undefined
    if (this.folder) await rm(this.folder, { recursive: true, force: true })
  }

  async remove(): Promise<void> {
    await this.close()
    if (this.options.path !== undefined) await rm(this.options.path, { force: true })
  }

  private async toFile(): Promise<void> {
    const { path, disk } = this.options
    if (!this.file) {
      if (path === undefined) this.folder = await scratchFolder('result')
      this.path = path ?? join(this.folder as string, 'rows')
      const folder = dirname(this.path)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      this.file = await open(this.path, 'wx+', 0o600)
      this.room = new DiskRoom(folder, disk)
    }
    const [all, at] = [Buffer.concat(this.held), this.bytes]
    this.held = []
    this.room?.take(all.length)
    await this.file.write(all, 0, all.length, at - all.length)
  }

  private async rowsOf({ at, bytes }: Piece): Promise<RowValue[][]> {
    if (this.path === undefined)
      return deserialize(Buffer.concat(this.held).subarray(at, at + bytes)) as RowValue[][]
    const own = this.file ? undefined : await open(this.path, 'r')
    try {
      const file = (this.file ?? own) as FileHandle
      const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, at)
      return deserialize(buffer) as RowValue[][]
    } finally {
      await own?.close()
    }
  }
}
