import { parentPort } from 'node:worker_threads'
import { answering } from '../../../threads.js'
import { type Piece, type PieceRead, readPiece } from './piece.js'

/* A thread of `in-pieces.ts`: one piece after the other, each with its answer. */

export interface PieceJob {
  piece: Piece
  /** Set to 1 once nobody waits for it any more. */
  over: Int32Array
}

const answer = answering(({ piece, over }: PieceJob) =>
  readPiece(piece, () => Atomics.load(over, 0) === 1),
)

parentPort?.on('message', (job: PieceJob) => {
  const told = answer(job)
  const texts = 'found' in told ? (told.found as PieceRead).texts : []
  // They are handed over, and not copied.
  const handed = texts.map(({ buffer }) => buffer)
  parentPort?.postMessage(told, handed)
})
