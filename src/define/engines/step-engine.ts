import { number } from '../options/expected.js'
import { checked, checkedArguments, type Expected, type OptionList } from '../options/options.js'
import { type SparkEngine, spark, sparkName } from './spark.js'

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
 * What carries out the steps of silver and gold; made by {@link duckdb}, {@link workers} or {@link
 * spark}.
 */
export type StepEngine = DuckDBEngine | WorkersEngine | SparkEngine

export interface WorkersOptions {
  /**
   * Number of attempts for a step whose process ends without an answer, for example because memory
   * ran out. Default: 3.
   */
  attempts?: number
}

const counting: Expected = {
  ...number,
  is: 'a whole number, 1 or more',
  fits: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
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

/**
 * What builds a dataset: what the command line says, what it says itself, or what its lake says.
 */
export function engineOf(
  dataset: { readonly tier: string; readonly engine?: StepEngine | undefined },
  lake: { readonly engine?: StepEngine | undefined },
  instead?: StepEngine,
): StepEngine {
  return instead ?? dataset.engine ?? lake.engine ?? duckdb()
}

/**
 * An engine as the command line names it: `duckdb`, `workers:4`, `spark:local[2]`; `spark` alone is
 * the one that the lake or one of its datasets has.
 */
export function engineNamed(text: string, declared: readonly StepEngine[]): StepEngine | undefined {
  if (text === 'spark') return declared.find(({ engine }) => engine === 'spark') ?? spark()
  const [, master, connect] = /^spark:(?:((?:local|spark:|k8s:|yarn).*)|(sc:.+))$/.exec(text) ?? []
  if (connect) return spark({ connect })
  if (master) return spark({ master })
  const [, count = ''] = /^workers:([1-9]\d{0,3})$/.exec(text) ?? []
  if (count) return { kind: 'engine', engine: 'workers', count: Number(count), attempts: undefined }
  return text === 'duckdb' ? duckdb() : undefined
}

/** An engine for people: `duckdb`, `workers(4)`, `spark(local[2])`. */
export function engineName(engine: StepEngine): string {
  if (engine.engine === 'spark') return sparkName(engine)
  return engine.engine === 'workers' ? `workers(${engine.count})` : engine.engine
}
