import { parentPort } from 'node:worker_threads'
import { answering } from '../../threads.js'
import { type LookPart, lookAtPart } from './look-task.js'
import { machineFor, type TextLayout } from './value-texts.js'

/* A thread of `look-threads.ts`: one job after the other, each with its answer. */

export type LookJob =
  | { kind: 'machine'; layout: TextLayout }
  /** `over`: set to 1 once nobody waits for it any more. */
  | { kind: 'part'; part: LookPart; over: Int32Array }

parentPort?.on('message', (job: LookJob) => parentPort?.postMessage(answer(job)))

const answer = answering((job: LookJob) =>
  job.kind === 'machine'
    ? machineFor(job.layout)
    : lookAtPart(job.part, () => Atomics.load(job.over, 0) === 1),
)
