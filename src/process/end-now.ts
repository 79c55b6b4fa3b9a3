import { removeScratch } from '../storage/scratch.js'

/*
 * Where SQL is deep within one function of the engine's, nothing can stop it, and Node waits at its
 * exit for the thread that runs it: such a process is ended by a signal.
 */

let working = 0

/** Counts work in threads of this process that nothing may be able to stop. */
export async function atWork<T>(work: () => Promise<T>): Promise<T> {
  working++
  try {
    return await work()
  } finally {
    working--
  }
}

/** Whether such work goes on, so that something may stay of what was to end. */
export function isAtWork(): boolean {
  return working > 0
}

/** Milliseconds in which what nobody waits for any more may still come to its end. */
const PATIENCE = 1000

/**
 * Ends this process also if something goes on in it that can't be stopped. All that it had to do is
 * done.
 */
export function endDespiteWork(): void {
  if (working > 0) setTimeout(() => working > 0 && endNow('SIGTERM'), PATIENCE).unref()
}

/** Ends this process with an exit code, or by SIGTERM where something goes on in it. */
export function exitNow(code: number): void {
  if (working > 0) endNow('SIGTERM')
  else process.exit(code)
}

/**
 * Ends this process, whatever it does, as if the signal had found it without handlers. What is
 * committed stays.
 */
export function endNow(signal: 'SIGINT' | 'SIGTERM'): void {
  removeScratch()
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
