import { describe, expect, it } from 'vitest'
import { MoraineError } from '../errors.js'
import { Pool } from '../process/pool.js'
import type { RunEvent } from '../step/events.js'
import { Steps } from './steps.js'

describe('steps', () => {
  it('are tried again when another attempt may succeed, and only then', async () => {
    const events: RunEvent[] = []
    const steps = new Steps((event) => events.push(event), undefined)
    let attempts = 0
    await steps.run('silver.a', async (begin) => {
      begin({ action: 'build', mode: 'full', reason: 'it is not built yet', windows: [] })
      if (++attempts < 3) throw new MoraineError('storage', 'the disk is slow', { retryable: true })
      return { rows: 5 }
    })
    let others = 0
    await steps.run('silver.b', async () => {
      others++
      throw new MoraineError('source', 'no such file', { hint: 'Check the path.' })
    })
    expect([attempts, others]).toEqual([3, 1])
    expect(steps.results.map(({ dataset, outcome, rows }) => [dataset, outcome, rows])).toEqual([
      ['silver.a', 'done', 5],
      ['silver.b', 'failed', undefined],
    ])
    expect(steps.results[1]?.error).toEqual({
      kind: 'source',
      message: 'no such file',
      hint: 'Check the path.',
    })
    expect(steps.stopped('silver.b')).toBe(true)
  })

  it('that are stopped are neither done nor failed', async () => {
    const abort = new AbortController()
    const steps = new Steps(() => {}, abort.signal)
    await steps.run('silver.a', async () => {
      abort.abort()
      throw new Error('interrupted')
    })
    await steps.run('silver.b', async () => ({ rows: 1 }))
    expect(steps.results.map((r) => r.outcome)).toEqual(['cancelled', 'cancelled'])
    expect(steps.anyFailed).toBe(false)
  })
})

describe('a pool', () => {
  it('runs no more at a time than it is told to, and all in the end', async () => {
    const pool = new Pool(2)
    let running = 0
    let most = 0
    const done = await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        pool.run(async () => {
          most = Math.max(most, ++running)
          await new Promise((resolve) => setTimeout(resolve, 2))
          running--
          return i
        }),
      ),
    )
    expect([most, done]).toEqual([2, [0, 1, 2, 3, 4, 5, 6, 7, 8]])
  })

  it('runs what weighs most first, and forgets what nobody waits for any more', async () => {
    const pool = new Pool(1)
    const done: number[] = []
    const abort = new AbortController()
    let end = () => {}
    const first = pool.run(() => new Promise<void>((resolve) => (end = resolve)))
    const some = [1, 3, 2].map((weight) => pool.run(async () => void done.push(weight), { weight }))
    const given = pool.run(async () => void done.push(9), { weight: 9, signal: abort.signal })
    abort.abort(new Error('not any more'))
    await expect(given).rejects.toThrow('not any more')
    end()
    await Promise.all([first, ...some])
    expect(done).toEqual([3, 2, 1])
  })
})
