import { expect, it } from 'vitest'
import { createBranch } from '../../log/branch/named.js'
import { CommitLog } from '../../log/log.js'
import { MemoryStorage } from '../../storage/memory.js'
import { branchOf, nameIn } from './environment-branch.js'

const dev = { branch: (user: string) => `dev-${user}` }
const nameOf = (user: string, env: object = dev) => branchOf(env, 'dev', user)?.name

it('gives each user a branch of their own, however much of their names is replaced', () => {
  const users = ['a-b', 'a.b', 'a_b', 'A-B', 'a b', 'a--b', 'é', 'ü', '日本', 'x'.repeat(80)]
  const names = [...users, 'x'.repeat(81)].map((user) => nameOf(user))
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^dev-?[a-z0-9_-]*[a-z0-9]$/)
  expect(Math.max(...names.map((name) => name?.length ?? 0))).toBeLessThanOrEqual(63)
  // Nothing had to be replaced: the name is as the function gave it.
  expect([nameOf('ada'), nameOf('a-b')]).toEqual(['dev-ada', 'dev-a-b'])
  expect(nameOf('a.b')).toMatch(/^dev-a-b-[0-9a-f]{6}$/)
  // Always the same, of each user.
  expect(nameOf('a.b')).toBe(nameOf('a.b'))
  expect(nameOf('日本', { branch: (user: string) => user })).toMatch(/^branch-[0-9a-f]{6}$/)
})

it('takes a name that lake.ts says as a text, and none that a function does not give', () => {
  expect(nameOf('ada', { branch: 'Shared.Branch' })).toBe('shared-branch')
  expect(nameOf('ada', { branch: 'main' })).toBe('main')
  expect(nameOf('ada', {})).toBeUndefined()
  for (const given of [undefined, null, '', ' ', 7])
    expect(() => nameOf('ada', { branch: () => given })).toThrow(
      /The branch of environment 'dev' has no name: its function gave .* for user 'ada'/,
    )
})

it('goes on on a branch of before that this user made, and on that of no one else', async () => {
  const main = new CommitLog(new MemoryStorage())
  const on = async (user: string) => {
    const own = branchOf(dev, 'dev', user)
    return own && (await nameIn(main, own, user))
  }
  expect(await on('a.b')).toBe(nameOf('a.b'))
  await createBranch(main, 'dev-a-b', await main.head(), { author: 'a.b', run: null })
  expect(await on('a.b')).toBe('dev-a-b')
  expect(await on('a-b')).toBe('dev-a-b')
  expect(await on('A.b')).toBe(nameOf('A.b'))
  await createBranch(main, nameOf('a.b') as string, await main.head(), { author: 'a.b', run: null })
  expect(await on('a.b')).toBe(nameOf('a.b'))
})
