import { expect, it } from 'vitest'
import type { RunRecord, StepResult } from '../../step/events.js'
import { closing, stepLine } from './summary.js'

const gone = { kind: 'storage', message: 'The lake in /mnt no longer exists', hint: 'Mounted?' }
const failed = (dataset: string, error: object = gone) =>
  ({ dataset, outcome: 'failed', seconds: 1, error }) as StepResult
const told = (steps: StepResult[], error?: object) => {
  const record = { outcome: 'failed', started: '2026-01-01', finished: '2026-01-01', commits: [] }
  return closing({ ...record, steps, ...(error ? { error } : {}) } as unknown as RunRecord)
}
const times = (text: string, part: string) => text.split(part).length - 1

it('storage that is away is told of once, however many steps it fails', () => {
  const steps = [failed('silver.a'), failed('gold.b')]
  expect(times(told(steps), gone.message)).toBe(1)
  expect(times(told(steps, gone), gone.message)).toBe(1)
  expect(told(steps)).toContain('silver.a')
})

it('a view is told of without rows, and a table that is empty with none', () => {
  const done = { outcome: 'done', seconds: 2 } as const
  const view = stepLine({ ...done, dataset: 'gold.v' } as StepResult, 8)
  expect(view).toMatch(/gold\.v/)
  expect(view).not.toMatch(/row/)
  expect(stepLine({ ...done, dataset: 'gold.t', rows: 0 } as StepResult, 8)).toContain('0 rows')
})

it('whatever else fails is told of for each step', () => {
  const other = { kind: 'engine', message: 'out of memory' }
  const missing = { kind: 'storage', message: 'silver/a.avro is missing' }
  const text = told([failed('silver.a', other), failed('gold.b', other), failed('gold.c', missing)])
  expect(times(text, 'out of memory')).toBe(2)
  expect(times(told([failed('gold.c', missing)], gone), 'is missing')).toBe(1)
})
