import { parentPort, workerData } from 'node:worker_threads'
import { BytesDigest } from './bytes-digest.js'

/* The thread of `digest.ts`: it says something for each chunk, and at the end what was found. */

const digest = new BytesDigest(workerData)

parentPort?.on('message', (chunk: Uint8Array | null) => {
  if (chunk) digest.update(chunk)
  parentPort?.postMessage(chunk ? undefined : digest.result())
})
