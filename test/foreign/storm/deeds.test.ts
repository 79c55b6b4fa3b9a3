import { expect, it } from 'vitest'
import { type Action, after, type Deed, type Ending, faultsOf, type World } from './deeds.js'

const rows = (...seqs: number[]) => seqs.map((seq) => ({ writer: 'a', seq, value: seq }))
const deed = (action: Action, ending: Ending = 'done'): Deed => ({
  writer: 'a',
  action,
  ending,
  took: 1,
})
const append = (...seqs: number[]): Action => ({ do: 'append', table: 't', rows: rows(...seqs) })
const begun: World = new Map([['t', 1]])
const all = (...actions: Action[]) => actions.reduce(after, begun)

it('what was said to be done is there, and what was refused is not', () => {
  const deeds = [deed(append(1, 2)), deed(append(3), 'refused')]
  expect(faultsOf(begun, deeds, all(append(1, 2)))).toEqual([])
  expect(faultsOf(begun, deeds, all(append(1)))).toEqual(['lost: t a:2 (a append t done)'])
  expect(faultsOf(begun, deeds, all(append(1, 2), append(3)))).toEqual([
    'too much: t a:3 (a append t refused)',
  ])
  expect(faultsOf(begun, deeds, all(append(1, 2, 9)))).toEqual([
    'too much: t a:9 (nobody touched it)',
  ])
})

it('of what was never answered all is there, or nothing', () => {
  const both: Action = {
    do: 'together',
    parts: [
      { table: 't', rows: rows(1) },
      { table: 'u', rows: rows(1) },
    ],
  }
  const deeds = [deed(both, 'unknown')]
  expect(faultsOf(begun, deeds, begun)).toEqual([])
  expect(faultsOf(begun, deeds, all(both))).toEqual([])
  expect(faultsOf(begun, deeds, all(append(1)))).toEqual([
    'a part of it is there, and the rest is not: a together t,u unknown',
    'too much: t a:1 (a together t,u unknown)',
  ])
})

it('rows that change keep their last value, and tables their rows under another name', () => {
  const create: Action = { do: 'create', table: 'u', rows: rows(1, 2) }
  const update: Action = { do: 'update', table: 'u', rows: [{ writer: 'a', seq: 1, value: 7 }] }
  const remove: Action = { do: 'delete', table: 'u', rows: rows(2) }
  const rename: Action = { do: 'rename', table: 'u', to: 'v' }
  const found: World = new Map([
    ['t', 1],
    ['v', 1],
    ['v a:1', 7],
  ])
  const deeds = [create, update, remove, rename].map((action) => deed(action))
  expect(faultsOf(begun, deeds, found)).toEqual([])
  expect(faultsOf(begun, deeds, all(create, update))).toContain('lost: v (a rename u done)')
  const replace: Action = { do: 'replace', table: 'v', rows: rows(5) }
  expect(faultsOf(begun, [...deeds, deed(replace)], found)).toEqual([
    'lost: v a:5 (a replace v done)',
    'too much: v a:1 (nobody touched it)',
  ])
  const drop: Action = { do: 'drop', table: 'v' }
  expect(faultsOf(begun, [...deeds, deed(drop, 'unknown')], found)).toEqual([])
  expect(faultsOf(begun, [...deeds, deed(drop, 'unknown')], begun)).toEqual([])
})
