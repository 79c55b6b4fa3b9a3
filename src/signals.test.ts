import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { abortController, anySignal } from './signals.js'

it('warns of no leak, however many requests wait for storage at once', async () => {
  const warnings: Error[] = []
  const heard = (warning: Error) => warnings.push(warning)
  process.on('warning', heard)
  const stop = abortController()
  const either = anySignal([stop.signal, abortController().signal])
  const waits = [stop.signal, either].flatMap((signal) =>
    Array.from({ length: 50 }, () => sleep(60_000, undefined, { signal }).catch(() => 'ended')),
  )
  stop.abort()
  expect(new Set(await Promise.all(waits))).toEqual(new Set(['ended']))
  await sleep(1)
  process.off('warning', heard)
  expect(warnings).toEqual([])
})
