import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { answering } from '../threads.js'

/* A thread that makes the SHA-256 of files: see `checksum.ts`. */

/** `over`: set to 1 once nobody waits for it any more. */
export interface HashJob {
  path: string
  over?: Int32Array
}

const buffer = Buffer.allocUnsafeSlow(2 ** 20)

parentPort?.on('message', (job: HashJob) => parentPort?.postMessage(answer(job)))

const answer = answering(({ path, over }: HashJob) => {
  const hash = createHash('sha256')
  const file = openSync(path, 'r')
  try {
    for (;;) {
      if (over && Atomics.load(over, 0) === 1) throw new Error('the hash was given up')
      const read = readSync(file, buffer, 0, buffer.length, null)
      if (read === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, read))
    }
  } finally {
    closeSync(file)
  }
})
