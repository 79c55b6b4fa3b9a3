import { expect, it } from 'vitest'
import { abortController } from '../../signals.js'
import { SharedStart } from './shared-start.js'

/** A cluster that has no room: its start goes on until it is ended, or opened by a test. */
function fullCluster() {
  let open: (what: string) => void = () => {}
  let stopped: AbortSignal | undefined
  const start = new SharedStart<string>((signal) => {
    stopped = signal
    return new Promise((resolve, reject) => {
      open = resolve
      signal.addEventListener('abort', () => reject(new Error('the start was ended')))
    })
  })
  return { start, open: () => open('a session'), isStopped: () => stopped?.aborted }
}

it('a start that one run is cancelled at goes on for the other', async () => {
  const { start, open, isStopped } = fullCluster()
  const [first, second] = [abortController(), abortController()]
  const cancelled = start.wait(first.signal)
  const patient = start.wait(second.signal)
  first.abort(new Error('Ctrl-C'))
  await expect(cancelled).rejects.toThrow('Ctrl-C')
  expect([start.isEnded, isStopped()]).toEqual([false, false])
  open()
  expect(await patient).toBe('a session')
  // Who comes later has it, and nobody ends it any more.
  expect(await start.wait(second.signal)).toBe('a session')
  start.end()
  expect([start.isEnded, isStopped()]).toEqual([false, false])
})

it('a start that nobody waits for any more is ended', async () => {
  const { start, isStopped } = fullCluster()
  const runs = [abortController(), abortController()]
  const waiting = runs.map(({ signal }) => start.wait(signal))
  for (const run of runs) run.abort(new Error('Ctrl-C'))
  for (const one of waiting) await expect(one).rejects.toThrow('Ctrl-C')
  expect([start.isEnded, isStopped()]).toEqual([true, true])
  await expect(start.started).rejects.toThrow('the start was ended')
})
