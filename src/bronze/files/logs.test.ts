import { expect, it } from 'vitest'
import { remembered } from './logs.js'

it('a log that is still there is never forgotten, however many have been rotated away since', () => {
  const there = (name: string) => ({ name, isThere: true })
  const gone = (name: string) => ({ name, isThere: false })
  const logs = [there('audit.log'), gone('app-1'), gone('app-2'), there('app-3'), gone('app-4')]
  const names = (most: number) => remembered(logs, most).map(({ name }) => name)
  expect(names(1)).toEqual(['audit.log', 'app-3', 'app-4'])
  expect(names(0)).toEqual(['audit.log', 'app-3'])
  expect(names(9)).toHaveLength(5)
})
