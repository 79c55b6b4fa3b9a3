import { expect, it } from 'vitest'
import { again, repeating } from './again.js'

const commands = new Set(['run', 'rollback', 'branch', 'serve', 'repair', 'vacuum'])

it('proposes commands for the lake and the branch that this command line was about', () => {
  const given = { root: 's3://my bucket/shop', branch: 'dev' }
  const said = (text: string) => repeating({ given: () => given, commands }, () => again(text))
  const root = "--root 's3://my bucket/shop'"
  expect(said('Build it with: moraine run silver.orders+ --full, or moraine rollback --to 2')).toBe(
    `Build it with: moraine run ${root} --branch dev silver.orders+ --full, or moraine rollback ${root} --branch dev --to 2`,
  )
  // One that names another branch means that one; commands of branches name theirs.
  expect(said('moraine run --branch main; then: moraine branch refresh dev')).toBe(
    `moraine run ${root} --branch main; then: moraine branch ${root} refresh dev`,
  )
  // Those of the whole lake take no branch.
  expect(said('moraine repair shows what else; moraine vacuum --delete')).toBe(
    `moraine repair ${root} shows what else; moraine vacuum ${root} --delete`,
  )
  expect(said('Import moraine in lake.ts.')).toBe('Import moraine in lake.ts.')
  expect(again('Start with: moraine run')).toBe('Start with: moraine run')
})
