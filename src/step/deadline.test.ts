import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Deadline } from './deadline.js'

/** A step under a deadline whose run can be ended; what it told. */
function step(work: Promise<string>, run = new AbortController()) {
  const told: string[] = []
  const deadline = new Deadline(run.signal, {
    time: Number.POSITIVE_INFINITY,
    grace: 20,
    left: () => told.push('left'),
    ended: () => told.push('ended'),
  })
  return { run, told, result: deadline.kept(work).finally(() => deadline.clear()) }
}

it('a step that is done is not left behind, whatever becomes of its run', async () => {
  const { run, told, result } = step(Promise.resolve('done'))
  expect(await result).toBe('done')
  run.abort(new Error('the job took too long'))
  await sleep(60)
  expect(told).toEqual([])
})

it('a step that does not end with its run is left behind, until it ends', async () => {
  let end = (_: string) => {}
  const work = new Promise<string>((resolve) => {
    end = resolve
  })
  const { run, told, result } = step(work)
  const failed = expect(result).rejects.toThrow('stopped')
  run.abort(new Error('stopped'))
  await failed
  expect(told).toEqual(['left'])
  end('late')
  await sleep(0)
  expect(told).toEqual(['left', 'ended'])
})

it('a step of a run that is stopped already has the same time to end', async () => {
  const run = new AbortController()
  run.abort(new Error('stopped'))
  const { told, result } = step(new Promise(() => {}), run)
  await expect(result).rejects.toThrow('stopped')
  expect(told).toEqual(['left'])
})
