import { expect, it } from 'vitest'
import { MoraineError } from '../../errors.js'
import { CommitLog } from '../../log/log.js'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'

/** Goes away once it has taken an object of the log, if it is told to. */
class LeavingStorage extends MemoryStorage {
  leaves = false
  isAway = false

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    this.refuse()
    const isCreated = await super.createIfAbsent(path, bytes)
    if (this.leaves && path.startsWith('_moraine/log/')) this.isAway = true
    this.refuse()
    return isCreated
  }

  override async readIfPresent(path: string): Promise<Uint8Array | undefined> {
    this.refuse()
    return super.readIfPresent(path)
  }

  private refuse(): void {
    if (this.isAway) throw new MoraineError('storage', 'the network is gone', { retryable: true })
  }
}

it('does not say that nothing was done, where storage fails while the commit is made', async () => {
  const storage = new LeavingStorage()
  const ask = async (path: string, body: object) => {
    const answer = await catalog(storage, { token: 'x' }).request(`/v1/${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer x' },
      body: JSON.stringify(body),
    })
    return { status: answer.status, json: await answer.json() }
  }
  storage.leaves = true
  const unknown = await ask('namespaces', { namespace: ['ml'] })
  expect(unknown).toMatchObject({
    status: 500,
    json: { error: { type: 'CommitStateUnknownException', code: 500 } },
  })
  // Before a commit is made, nothing was done, and what is told is so.
  const none = await ask('namespaces', { namespace: ['other'] })
  expect(none).toMatchObject({ status: 503, json: { error: { code: 503 } } })
  storage.isAway = false
  expect(Object.keys((await new CommitLog(storage).head()).external?.namespaces ?? {})).toEqual([
    'ml',
  ])
})
