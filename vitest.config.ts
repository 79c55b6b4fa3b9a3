import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { sample } from './test/support/effort.js'

/** Each of them takes as long as some fifty other tests. */
const examples = [
  'orders/test/demo',
  'tickit/test/demo',
  'tickit/test/sources',
  'tpcds/test/lake',
  'tpcds/test/loads',
]

export default defineConfig({
  test: {
    globalSetup: ['test/support/build.ts'],
    include: [
      'src/**/*.test.ts',
      'test/**/*.test.ts',
      ...sample(examples, 1).map((name) => `examples/${name}.test.ts`),
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Tests wait for processes of their own, and for time to pass.
    maxWorkers: availableParallelism() + 1,
    // Files share processes: to load the code takes longer than most tests. What a test changes of its process it puts back.
    isolate: false,
    unstubEnvs: true,
    restoreMocks: true,
    // A guard against what never ends, and no measure: machines are slow when they have much to do.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
