import { expect, it } from 'vitest'
import { CommitLog } from '../../log/log.js'
import { MemoryStorage } from '../../storage/memory.js'
import { entriesOf } from './entries.js'

it('opens an engine again that could not be opened once, and then keeps it', async () => {
  const storage = new MemoryStorage()
  let opened = 0
  const session = async () => {
    if (++opened === 1) throw new Error('there is no memory for an engine')
    return {} as never
  }
  const lake = { name: 'x', datasets: [], externals: [] } as never
  const entries = entriesOf({ lake, storage, log: new CommitLog(storage), session })
  await expect(entries()).rejects.toThrow('no memory')
  expect(await entries()).toEqual([])
  expect(await entries()).toEqual([])
  expect(opened).toBe(2)
})
