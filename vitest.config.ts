import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { effort, sample } from './test/support/effort.js'
import { longest, longestWithServices } from './test/support/longest.js'
import { memoryFolder } from './test/support/memory-folder.js'

/** Whoever asks for files has those; else a sample says which of the longest files are its own. */
const isAsked = process.argv.slice(2).some((arg) => /\b(src|test|examples)\b/.test(arg))

/**
 * They take far longer than all others: each day one in four of them, in each run of CI one in
 * three, in the full one all.
 */
function turnsOf(files: readonly string[]): { drawn: readonly string[]; others: string[] } {
  const gone = files.filter((file) => !existsSync(file))
  if (gone.length > 0) throw new Error(`Tests that take turns are gone: ${gone}`)
  const drawn = isAsked
    ? files
    : sample(files, Math.ceil(files.length / 4), Math.ceil(files.length / 3))
  return { drawn, others: files.filter((file) => !drawn.includes(file)) }
}

const long = turnsOf(longest)
const longWithServices = turnsOf(longestWithServices)
const examples = turnsOf(
  ['orders/test/demo', 'tickit/test/demo', 'tpcds/test/lake', 'tpcds/test/loads'].map(
    (name) => `examples/${name}.test.ts`,
  ),
)

/** The longest files first: one of them at the end keeps one core busy, and the others idle. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const all = [...longest, ...longestWithServices]
    const rank = ({ moduleId }: TestSpecification) => {
      const at = all.findIndex((file) => moduleId.endsWith(`/${file}`))
      return at < 0 ? all.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

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
  'test/export/{warehouse,tickit,sqlserver,postgres,mariadb}.test.ts',
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
const ownFolder: Record<string, string> = inMemory ? { TMPDIR: inMemory } : {}
/** A Spark lives for a minute: code that is compiled in haste pays off sooner. */
const spark = { SPARK_SUBMIT_OPTS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' }

function project(
  name: string,
  include: string[],
  exclude: readonly string[],
  more: TestProjectInlineConfiguration['test'],
): TestProjectInlineConfiguration {
  const all = ['**/node_modules/**', '**/dist/**', ...exclude]
  return { extends: true, test: { name, include, exclude: all, ...more } }
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/properties.ts'],
    // Tests wait for processes of their own, and for time to pass.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: LongestFirst },
    unstubEnvs: true,
    restoreMocks: true,
    // Guards against what never ends, and no measure: machines are slow when they have much to do.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    expect: { poll: { timeout: 600_000, interval: 50 } },
    projects: [
      project('code', ['test/**/*.test.ts'], [...storms, ...services, ...apart, ...long.others], {
        env: ownFolder,
      }),
      project('apart', apart, long.others, { env: ownFolder }),
      project('services', services, [...storms, ...longWithServices.others], { env: spark }),
      project('storms', storms, [], { env: spark }),
      // Files of these share a process: to load what they test takes longer than most of them.
      project('units', ['src/**/*.test.ts'], [], { env: ownFolder, isolate: false }),
    ],
  },
})
