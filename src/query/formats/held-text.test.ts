import { expect, it } from 'vitest'
import { HeldBytes } from '../service/held-bytes.js'
import { HeldText } from './held-text.js'

const long = 'x'.repeat(600_000)

it('answers that wait for their readers have so much room together, and give it back', async () => {
  const all = new HeldBytes(1_000_000)
  const texts = [new HeldText(undefined, all), new HeldText(undefined, all)] as const
  const [first, second] = texts
  await first.add(long)
  await expect(second.add(long)).rejects.toMatchObject({ kind: 'limit', retryable: true })
  await second.close()
  // Short ones wait in memory, and need none.
  const short = new HeldText(undefined, all)
  await short.add('[]')
  expect(await short.response('application/json').text()).toBe('[]')
  expect((await first.response('text/plain').text()).length).toBe(long.length)
  const next = new HeldText(undefined, all)
  await next.add(long)
  const unread = next.response('text/plain')
  await unread.body?.cancel()
  expect(all.hasRoom(1_000_000)).toBe(true)
})
