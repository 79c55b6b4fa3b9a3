import { expect, it } from 'vitest'
import { Principals } from './principals.js'

it('says where a password is, of a lake without principals too', () => {
  const keys = { accessKeyId: 'a', secretAccessKey: 'b', password: 'c', token: 'd' }
  const local = new Principals(undefined, undefined, { local: { name: 'me', ...keys } })
  expect(local.passwordsIn).toBe(
    'lake.ts has no principals: the user is me, and its password is in .moraine/local-keys.json.',
  )
  expect(new Principals(undefined).passwordsIn).toMatch(/principal in lake\.ts/)
})
