import { availableParallelism } from 'node:os'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { effort, sample } from './test/support/effort.js'

/** Each of them takes as long as some fifty other tests. */
const examples = sample(
  ['orders/test/demo', 'tickit/test/demo', 'tpcds/test/lake', 'tpcds/test/loads'],
  1,
).map((name) => `examples/${name}.test.ts`)

/** Go on for as long as they are told to. */
const storms = [
  'test/storm/**/*.test.ts',
  'test/databases/storm.test.ts',
  'test/faults/orders-storm.test.ts',
  ...(effort === 'all' ? ['test/model/**/*.test.ts'] : []),
]
const services = [
  'test/{databases,foreign,s3}/**/*.test.ts',
  'test/faults/outage.test.ts',
  'examples/tickit/test/sources.test.ts',
]
/** They set up processes of ours for themselves alone. */
const apart = ['test/integration/decoders.test.ts', ...examples]

function project(
  name: string,
  include: string[],
  exclude: string[] = [],
  isolate = true,
): TestProjectInlineConfiguration {
  const all = ['**/node_modules/**', '**/dist/**', ...exclude]
  return { extends: true, test: { name, include, exclude: all, isolate } }
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/environment.ts'],
    // Tests wait for processes of their own, and for time to pass.
    maxWorkers: availableParallelism() + 1,
    unstubEnvs: true,
    restoreMocks: true,
    // A guard against what never ends, and no measure: machines are slow when they have much to do.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: [
      // These share processes: to load the code takes longer than most tests.
      project(
        'code',
        ['src/**/*.test.ts', 'test/**/*.test.ts'],
        [...storms, ...services, ...apart],
        false,
      ),
      project('apart', apart),
      project('services', services, storms),
      project('storms', storms),
    ],
  },
})
