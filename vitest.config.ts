import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: ['test/support/build.ts'],
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Most tests wait for processes of their own, so no core is left out.
    maxWorkers: availableParallelism(),
    // Files share processes: to load the code takes longer than most tests. What a test changes of its process it puts back.
    isolate: false,
    unstubEnvs: true,
    restoreMocks: true,
    // A guard against what never ends, and no measure: machines are slow when they have much to do.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
