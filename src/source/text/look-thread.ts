import { parentPort } from 'node:worker_threads'
import { answering } from '../../threads.js'
import { type LookPart, lookAtPart } from './look-task.js'
import { machineFor, type TextLayout } from './value-texts.js'

/* A thread of `look-threads.ts`: one job after the other, each with its answer. */

/** `over`: set to 1 once nobody waits for it any more. */
export type LookJob = { over: Int32Array } & (
  | { kind: 'machine'; layout: TextLayout }
  | { kind: 'part'; part: LookPart }
)

parentPort?.on('message', (job: LookJob) => parentPort?.postMessage(answer(job)))

const answer = answering((job: LookJob) =>
  job.kind === 'machine'
    ? machineFor(job.layout)
    : lookAtPart(job.part, () => Atomics.load(job.over, 0) === 1),
)
