import { parentPort } from 'node:worker_threads'
import { hashOf, type LookPart, lookAtPart, type PartFound } from './look-task.js'
import type { Machine } from './value-machine.js'
import { machineFor, type TextLayout } from './value-texts.js'

/* A thread of `look-threads.ts`: one job after the other, each with its answer. */

/** `over`: set to 1 once nobody waits for it any more. */
export type LookJob = { over: Int32Array } & (
  | { kind: 'hash'; path: string; size: number }
  | { kind: 'machine'; layout: TextLayout }
  | { kind: 'part'; part: LookPart }
)

export type LookAnswer =
  | { found: string | Machine | PartFound | undefined }
  | { failed: { message: string; code: string | undefined } }

parentPort?.on('message', (job: LookJob) => {
  parentPort?.postMessage(answerTo(job))
})

function answerTo(job: LookJob): LookAnswer {
  try {
    return { found: foundBy(job) }
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    return { failed: { message, code } }
  }
}

function foundBy(job: LookJob) {
  const isOver = () => Atomics.load(job.over, 0) === 1
  switch (job.kind) {
    case 'hash':
      return hashOf(job.path, job.size, isOver)
    case 'machine':
      return machineFor(job.layout)
    case 'part':
      return lookAtPart(job.part, isOver)
  }
}
