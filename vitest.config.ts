import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { effort, sample } from './test/support/effort.js'
import { memoryFolder } from './test/support/memory-folder.js'

/** Whoever asks for files has those; else a sample says which of the longest files are its own. */
const isAsked = process.argv.slice(2).some((arg) => /\b(src|test|examples)\b/.test(arg))

/**
 * They take as long as all others: each day one in so many of them, in each run of CI every other,
 * in the full one all.
 */
function turnsOf(names: string[], oneIn: number): { drawn: string[]; others: string[] } {
  const files = names.map((name) => `${name}.test.ts`)
  const gone = files.filter((file) => !existsSync(file))
  if (gone.length > 0) throw new Error(`vitest.config.ts names files that are gone: ${gone}`)
  const drawn = isAsked
    ? files
    : sample(files, Math.ceil(files.length / oneIn), Math.ceil(files.length / 2))
  return { drawn, others: files.filter((file) => !drawn.includes(file)) }
}

const examples = turnsOf(
  ['orders/test/demo', 'tickit/test/demo', 'tpcds/test/lake', 'tpcds/test/loads'].map(
    (name) => `examples/${name}`,
  ),
  4,
)
const of = (folder: string, names: string[]) => names.map((name) => `test/${folder}/${name}`)
const long = turnsOf(
  [
    ...of('integration/bronze', [
      'logs',
      'read-files',
      'quarantine-crash',
      'ingest',
      'quarantine',
      'http',
      'quarantine-random',
    ]),
    ...of('integration/run', ['drop-rename', 'step-limits', 'steps-in-parts', 'workers']),
    ...of('integration/maintain', ['rot', 'maintenance', 'rot-kinds', 'rot-rollback']),
    ...of('integration/query', ['query-limits', 'save-query']),
    ...of('integration/gold', ['incremental']),
    ...of('integration/cli', ['crawl-random']),
    ...of('integration/silver', ['javascript', 'keys']),
    ...of('faults', [
      'storage',
      'kill',
      'power-loss',
      'kill-points',
      'heard-writers',
      'repair-kills',
      'stopped-writer',
      'branch-kills',
      'workers',
    ]),
    'test/hostile/hostile',
    'test/corpus/corpus',
  ],
  4,
)

/** Go on for as long as they are told to. */
const storms = [
  'test/storm/**/*.test.ts',
  'test/databases/storm.test.ts',
  'test/faults/orders-storm.test.ts',
  'test/foreign/storm/storm.test.ts',
  ...(effort === 'all' ? ['test/model/**/*.test.ts'] : []),
]
const services = [
  'test/{aws,databases,foreign,s3}/**/*.test.ts',
  'test/export/{warehouse,tickit}.test.ts',
  'test/faults/outage.test.ts',
  'examples/tickit/test/sources.test.ts',
]
/** They set up processes of ours for themselves alone. */
const apart = [
  'test/integration/bronze/decoders.test.ts',
  'test/integration/query/runaway-queries.test.ts',
  ...examples.drawn,
]

const inMemory = memoryFolder()
/** Servers of services write to the disk, as they do elsewhere. */
const temporary: Record<string, Record<string, string>> = inMemory
  ? { code: { TMPDIR: inMemory }, apart: { TMPDIR: inMemory } }
  : {}

function project(
  name: string,
  include: string[],
  exclude: string[] = [],
): TestProjectInlineConfiguration {
  const all = ['**/node_modules/**', '**/dist/**', ...exclude]
  return { extends: true, test: { name, include, exclude: all, env: temporary[name] ?? {} } }
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/properties.ts'],
    // Tests wait for processes of their own, and for time to pass.
    maxWorkers: availableParallelism() + 2,
    unstubEnvs: true,
    restoreMocks: true,
    // Guards against what never ends, and no measure: machines are slow when they have much to do.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    expect: { poll: { timeout: 600_000, interval: 50 } },
    projects: [
      project(
        'code',
        ['src/**/*.test.ts', 'test/**/*.test.ts'],
        [...storms, ...services, ...apart, ...long.others],
      ),
      project('apart', apart),
      project('services', services, storms),
      project('storms', storms),
    ],
  },
})
