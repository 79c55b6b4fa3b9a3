import { expect, it } from 'vitest'
import { allRights } from '../../define/access/rights.js'
import { MoraineError } from '../../errors.js'
import { OwnSecrets } from '../../secrets.js'
import { Executions } from './executions.js'

const ada = { name: 'ada', rights: allRights }

/** What became of a query that fails so, and what whoever runs the server hears. */
async function failed(error: Error) {
  const heard: unknown[] = []
  const executions = new Executions(() => Promise.reject(error), {
    now: () => new Date(),
    newId: () => 'one',
    head: () => Promise.reject(new Error('nothing is read')),
    state: undefined,
    onError: (one) => heard.push(one),
  })
  executions.start({ principal: ada, sql: 'select 1' })
  return { ...(await executions.done('one', ada)).error, heard }
}

it('tells no secret of why a query failed, and nothing of what failed inside', async () => {
  new OwnSecrets().hide('a-known-secret-of-storage')
  const text = 'https://lake:a-known-secret-of-storage@example.com is away'
  expect(await failed(new MoraineError('storage', text, { hint: `See ${text}` }))).toEqual({
    kind: 'storage',
    message: 'https://lake:***@example.com is away',
    hint: 'See https://lake:***@example.com is away',
    heard: [],
  })
  const inside = new Error("ENOENT: no such file or directory, open '/home/ada/lake/x'")
  expect(await failed(inside)).toEqual({
    kind: 'internal',
    message: 'The server failed to answer',
    hint: undefined,
    heard: [inside],
  })
})
