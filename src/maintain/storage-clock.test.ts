import { expect, it } from 'vitest'
import { CommitLog } from '../log/log.js'
import { MemoryStorage } from '../storage/memory.js'
import { vacuum } from './vacuum.js'

const info = { author: 'ada', run: null }

/** The clock of this machine is ahead of that of the storage, in milliseconds. */
class Behind extends MemoryStorage {
  constructor(private readonly ahead: number) {
    super()
  }

  override async stat(path: string) {
    const found = await super.stat(path)
    return found && { ...found, modified: found.modified - this.ahead }
  }
}

it('a vacuum by a clock that is a year ahead is refused: nobody could commit until that time', async () => {
  const storage = new Behind(365 * 86_400_000)
  const log = new CommitLog(storage)
  await log.commit(
    await log.head(),
    {},
    {
      ...info,
      message: 'begin',
    },
  )
  await storage.write('silver/orders/data/old.parquet', new Uint8Array(3))
  await expect(vacuum(log, storage, { grace: 0, remove: true, info })).rejects.toThrow(
    'The clock of this machine says',
  )
  expect((await log.head()).vacuumed).toBeUndefined()
  expect(await storage.list('')).toContainEqual(
    expect.objectContaining({ path: 'silver/orders/data/old.parquet' }),
  )
  expect(await storage.list('_moraine/probe/')).toEqual([])
})

it('a clock that is minutes ahead removes nothing that is younger than the storage says', async () => {
  const storage = new Behind(600_000)
  const log = new CommitLog(storage)
  await log.commit(await log.head(), {}, { ...info, message: 'begin' })
  await storage.write('silver/orders/data/old.parquet', new Uint8Array(3))
  await vacuum(log, storage, { grace: 0, remove: true, info })
  const { vacuumed } = await log.head()
  expect(Date.parse(vacuumed ?? '1970-01-01')).toBeLessThan(Date.now() - 500_000)
})
