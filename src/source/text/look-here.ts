import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Look } from './look.js'
import type { LookedAt, LookTask } from './look-task.js'
import { pieceOf } from './piece.js'
import { machineFor, ValueTexts } from './value-texts.js'

/** Looks over a text in this thread, which does other work while it waits for the file. */
export async function lookHere(
  { path, size, options, layout }: LookTask,
  signal: AbortSignal | undefined,
): Promise<LookedAt> {
  const look = new Look(options)
  const hash = createHash('sha256')
  const machine = layout && machineFor(layout)
  const values = machine && new ValueTexts(machine, layout.skip)
  let isStart = true
  for await (const chunk of createReadStream(path, { highWaterMark: pieceOf(size), signal })) {
    look.at(chunk, isStart)
    hash.update(chunk)
    values?.take(chunk)
    isStart = false
  }
  const wrong = values ? [values.result()] : []
  return { sha256: hash.digest('hex'), facts: look.facts(), machine, wrong }
}
