import { counting } from '../options/expected.js'
import { checked, checkedArguments, type OptionList } from '../options/options.js'
import { type SparkEngine, spark, sparkName, tasksHere, tasksThere } from './spark.js'
import { type TrinoEngine, trino, trinoName } from './trino.js'

/*
 * What carries out the steps of silver and gold. It says nothing about their rows, and so is no
 * part of a definition's fingerprint: an engine can be changed at any time.
 */

/** The run's own process. */
export interface DuckDBEngine {
  readonly kind: 'engine'
  readonly engine: 'duckdb'
}

/** Processes of this machine. */
export interface WorkersEngine {
  readonly kind: 'engine'
  readonly engine: 'workers'
  /** Processes at the same time. */
  readonly count: number
  /** Attempts of a step whose process ends without an answer. */
  readonly attempts: number | undefined
}

/**
 * What carries out the steps of silver and gold; made by {@link duckdb}, {@link workers}, {@link
 * spark} or, for gold alone, {@link trino}.
 */
export type StepEngine = DuckDBEngine | WorkersEngine | SparkEngine | TrinoEngine

export interface WorkersOptions {
  /**
   * Number of attempts for a step whose process ends without an answer, for example because memory
   * ran out. Default: 3.
   */
  attempts?: number
}

const workersOptions: OptionList<WorkersOptions> = { attempts: counting }

/**
 * Steps of silver and gold run in the process of the run itself. This is the default; it is only
 * needed for a dataset of a lake that uses another engine.
 */
export function duckdb(): StepEngine {
  return { kind: 'engine', engine: 'duckdb' }
}

/**
 * Steps of silver and gold run in processes of their own on this machine, several at the same time.
 * They share the memory and the threads of the run.
 *
 * @param count how many processes.
 * @example defineLake({ name: 'shop', engine: workers(4), datasets: [daily] })
 */
export function workers(count: number, options: WorkersOptions = {}): StepEngine {
  const good = checkedArguments('workers(…)', { count }, { count: counting })
  const { attempts } = checked<WorkersOptions>(`workers(${count})`, options, workersOptions)
  return { kind: 'engine', engine: 'workers', count: good.count ?? 1, attempts }
}

/** A dataset, as far as it says what may build it. */
interface Built {
  readonly tier: string
  readonly engine?: StepEngine | undefined
  /** A view computes no rows. */
  readonly view?: boolean
}

/**
 * What builds a dataset: what the command line says, what it says itself, or what its lake says, of
 * which Trino is passed over where there is no gold to be computed.
 */
export function engineOf(
  dataset: Built,
  lake: { readonly engine?: StepEngine | undefined },
  instead?: StepEngine,
): StepEngine {
  const isComputed = dataset.tier === 'gold' && dataset.view !== true
  const said = [instead, dataset.engine, lake.engine]
  return said.find((one) => one && (one.engine !== 'trino' || isComputed)) ?? duckdb()
}

/**
 * An engine as the command line names it: `duckdb`, `workers:4`, `spark:local[2]`,
 * `trino:http://localhost:8080/lake`; `spark` and `trino` alone are those that the lake or one of
 * its datasets has.
 */
export function engineNamed(text: string, declared: readonly StepEngine[]): StepEngine | undefined {
  if (text === 'spark') return declared.find(({ engine }) => engine === 'spark') ?? spark()
  const [, master, connect] = /^spark:(?:((?:local|spark:|k8s:|yarn).*)|(sc:.+))$/.exec(text) ?? []
  if (connect) return spark({ connect })
  if (master) return spark({ master })
  if (text === 'trino') return declared.find(({ engine }) => engine === 'trino')
  const [, url, catalog = 'lake'] =
    /^trino:(https?:\/\/[^/\s]+)(?:\/([a-z_][a-z0-9_]*))?$/.exec(text) ?? []
  if (url) return trino({ url, catalog })
  const [, count = ''] = /^workers:([1-9]\d{0,3})$/.exec(text) ?? []
  if (count) return { kind: 'engine', engine: 'workers', count: Number(count), attempts: undefined }
  return text === 'duckdb' ? duckdb() : undefined
}

/**
 * Tasks that an engine carries out at the same time.
 *
 * @param cores those of this machine, where the engine says no number.
 */
export function slotsOf(engine: StepEngine, cores: number): number {
  if (engine.engine === 'workers') return engine.count
  if (engine.engine !== 'spark') return 1
  const here = tasksHere(engine)
  if (here === 0) return tasksThere(engine)
  return engine.tasks ?? (here === 'all' ? cores : here)
}

/** An engine for people: `duckdb`, `workers(4)`, `spark(local[2])`, `trino(lake)`. */
export function engineName(engine: StepEngine): string {
  if (engine.engine === 'spark') return sparkName(engine)
  if (engine.engine === 'trino') return trinoName(engine)
  return engine.engine === 'workers' ? `workers(${engine.count})` : engine.engine
}
