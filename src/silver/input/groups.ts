import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import type { ScanTask } from '../../iceberg/deletes.js'
import type { BuildDecision } from '../../plan/decision.js'
import type { OriginFile } from '../../step/batches.js'
import { batchesRead } from '../../step/task/split.js'
import type { FilesPart } from '../../step/task/task.js'
import { mayShareLines } from './places.js'
import type { InputContext } from './types.js'

/*
 * The files of a step's inputs in groups, which parts of the step read: each of about the same
 * bytes and rows, large files by ranges of their rows. Who plans a part and who carries it out find
 * the same groups.
 *
 * Groups are in the order of places: of rows of one batch, those of a later group come behind, by
 * the names of source files and lines. So which of two rows is newer is known by their groups.
 */

/** What a part reads of the inputs, by their names. */
export interface InputGroup {
  bronze: Map<string, OriginFile[]>
  tables: Map<string, ScanTask[]>
}

/** Files, or a range of one, that can't be told apart by the order of places. */
interface Piece {
  weight: number
  batches: readonly { input: string; file: OriginFile }[]
  table?: { input: string; task: ScanTask }
}

/** Rows that reading is about as much work as this many bytes. */
const BYTES_A_ROW = 64

/**
 * Rows of a bronze file's row groups: ranges begin with one, as who reads a part of a group reads
 * all of it.
 */
const ROW_GROUP = 40_960

/** The groups of the inputs' files, without those that are empty. */
export async function inputGroups(
  context: InputContext,
  dataset: Silver,
  decision: BuildDecision,
  how: Pick<FilesPart, 'of' | 'rangeRows'>,
): Promise<InputGroup[]> {
  const { of } = how
  const pieces = await piecesOf(context, dataset, decision, how)
  const all = pieces.reduce((sum, { weight }) => sum + weight, 0)
  const groups = new Map<number, Piece[]>()
  let before = 0
  for (const piece of pieces) {
    const middle = before + piece.weight / 2
    before += piece.weight
    const index = Math.min(of - 1, Math.floor((middle / Math.max(all, 1)) * of))
    groups.set(index, [...(groups.get(index) ?? []), piece])
  }
  return [...groups.values()].map(grouped)
}

function grouped(pieces: readonly Piece[]): InputGroup {
  const group: InputGroup = { bronze: new Map(), tables: new Map() }
  for (const { batches, table } of pieces) {
    for (const { input, file } of batches)
      group.bronze.set(input, [...(group.bronze.get(input) ?? []), file])
    if (table) group.tables.set(table.input, [...(group.tables.get(table.input) ?? []), table.task])
  }
  return group
}

async function piecesOf(
  context: InputContext,
  dataset: Silver,
  decision: BuildDecision,
  { of, rangeRows }: Pick<FilesPart, 'of' | 'rangeRows'>,
): Promise<Piece[]> {
  const { relations } = context
  const marked = dataset.key.length === 0
  const batches: { input: string; file: OriginFile }[] = []
  const tables: Piece[] = []
  for (const from of dataset.from) {
    const input = fullName(from)
    if (from.tier === 'bronze') {
      const pointers = batchesRead(decision, relations.view, from)
      const files = (await relations.bronzeFiles?.(pointers, marked)) ?? []
      batches.push(...files.map((file) => ({ input, file })))
      continue
    }
    const tasks = (await (await relations.table?.(input))?.plan()) ?? []
    for (const task of tasks) {
      const weight = task.file.bytes + task.file.rows * BYTES_A_ROW
      tables.push({ weight, batches: [], table: { input, task } })
    }
  }
  const whole = inOrder(batches)
  const all = [...whole, ...tables].reduce((sum, { weight }) => sum + weight, 0)
  // The rows of a line are compared by their values, so that they stay in one group.
  if (mayShareLines(context, dataset)) return [...whole, ...tables]
  return [...whole.flatMap((piece) => ranges(piece, all / of, rangeRows)), ...tables]
}

/** Files in the order of places; those of which neither comes before the other are one piece. */
function inOrder(files: readonly { input: string; file: OriginFile }[]): Piece[] {
  const sorted = [...files].sort(
    ({ file: a }, { file: b }) => compare(a.batch, b.batch) || compare(a.first, b.first),
  )
  const pieces: { input: string; file: OriginFile }[][] = []
  let last: { batch: string; name: string } | undefined
  for (const one of sorted) {
    const { batch } = one.file
    const lies = last?.batch === batch && compare(one.file.first, last.name) <= 0
    if (lies) pieces.at(-1)?.push(one)
    else pieces.push([one])
    const name = lies && last && compare(last.name, one.file.last) > 0 ? last.name : one.file.last
    last = { batch, name }
  }
  return pieces.map((batches) => ({
    batches,
    weight: batches.reduce((sum, { file }) => sum + file.bytes + file.rows * BYTES_A_ROW, 0),
  }))
}

const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** A piece by ranges of rows, where it is one large file of which a range can be read. */
function ranges(piece: Piece, most: number, rangeRows: number): Piece[] {
  const [only, other] = piece.batches
  if (!only || other || piece.weight <= most || !only.file.location.endsWith('.parquet'))
    return [piece]
  const { rows } = only.file
  const wanted = Math.ceil(piece.weight / Math.max(most, 1))
  const even = Math.max(Math.ceil(rows / wanted), rangeRows, 1)
  const size = even >= ROW_GROUP ? Math.ceil(even / ROW_GROUP) * ROW_GROUP : even
  if (size >= rows) return [piece]
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const range = { from: i * size, to: Math.min((i + 1) * size, rows) }
    const part = { rows: range.to - range.from, bytes: Math.ceil(only.file.bytes * (size / rows)) }
    // How many of the rows have texts of their own is known of the whole file alone.
    const texts = only.file.nonCanonical
    const few = texts ? { nonCanonical: Math.max(1, Math.round(texts * (part.rows / rows))) } : {}
    const file = { ...only.file, ...part, ...few, range }
    return { weight: piece.weight * (part.rows / rows), batches: [{ ...only, file }] }
  })
}
