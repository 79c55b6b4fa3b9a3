import type { Command } from 'commander'
import { athenaPrice } from '../../aws/prices/athena-price.js'
import { prices } from '../../aws/prices/prices.js'
import { bytesOf } from '../../define/size.js'
import type { ParameterValues } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import type { Estimate } from '../../query/estimate.js'
import type { Limits } from '../../query/limits.js'
import { describeQuery } from '../../query/query.js'
import type { Storage } from '../../storage/storage.js'
import { plural, size, toJson } from '../output/format.js'
import { show } from '../output/terminal.js'

/** Gives a command options of its query. */
export function queryOptions(command: Command): Command {
  return command
    .option(
      '--param <name=value>',
      'value of :name in the query, or of the next ? where there is no name; may be given several times',
      (value: string, others?: string[]) => [...(others ?? []), value],
    )
    .option(
      '--explain-cost',
      'show what the query would read, and what Athena would charge; run nothing',
    )
    .option('--explain', 'show how the query would run: its steps, and what they read; run nothing')
    .option(
      '--max-scan <size>',
      'refuse the query if it would read more than this, as manifests tell',
    )
}

/** The values of parameters that these options give. */
export function valuesOf({ param }: { param?: string[] | undefined }) {
  const parameters = parametersOf(param)
  return parameters ? { parameters } : {}
}

/** What these options ask of a query. */
export function askedFor({ param, maxScan }: { param?: string[]; maxScan?: string }) {
  return {
    ...valuesOf({ param }),
    ...(maxScan === undefined ? {} : { judge: scanLimit(maxScan) }),
  }
}

/**
 * Values that `--param` gives: of names, or in their order. They are texts, which the query
 * compares with what it has, as it does those in quotes.
 */
function parametersOf(given: readonly string[] | undefined): ParameterValues | undefined {
  if (!given) return undefined
  const named = given.map((one) => /^([A-Za-z_]\w*)=(.*)$/s.exec(one))
  if (named.every((one) => one === null)) return given
  const names = named.map((one) => one?.[1])
  const twice = names.find((name, i) => name !== undefined && names.indexOf(name) < i)
  if (twice !== undefined)
    throw new MoraineError('usage', `--param ${twice} is given more than once`, {
      hint: 'Give each parameter one value.',
    })
  return Object.fromEntries(
    named.map((one, i) => {
      if (one) return [one[1], one[2]]
      throw new MoraineError('usage', `--param ${given[i]} has no name, and others have one`, {
        hint: 'Write all with a name (--param status=paid), or none.',
      })
    }),
  )
}

/** An error about types of texts that `--param` gives, with how to write their types. */
export function withTypeHint(error: unknown, { param }: { param?: string[] | undefined }): unknown {
  const isOfTypes = error instanceof MoraineError && /explicit type casts/.test(error.message)
  if (!param || !isOfTypes) return error
  return new MoraineError(error.kind, error.message, {
    hint: 'Values of --param are texts. Write their types into the query: ?::int, :day::date',
    cause: error,
  })
}

/** Refuses a query that would read more than `--max-scan`. */
function scanLimit(text: string): (estimate: Estimate) => void {
  const most = bytesOf(text)
  if (most === undefined)
    throw new MoraineError('usage', `--max-scan ${text} is not a size`, {
      hint: 'Give a number and a unit: --max-scan 10GB',
    })
  return ({ bytes }) => {
    if (bytes <= most) return
    throw new MoraineError(
      'limit',
      `The query would read ${size(bytes)}, and --max-scan allows ${size(most)}: nothing was read`,
      {
        hint: 'Select fewer columns, or add a condition on the column that the table is partitioned by.',
      },
    )
  }
}

/** What is asked about a query that is not run. */
export interface Costed {
  storage: Storage
  state: LakeState | Promise<LakeState>
  limits: Limits
  json: boolean
  parameters?: ParameterValues
}

/** Shows what a query would read, by what manifests say, and the price of that. */
export async function explainCost(
  sql: string,
  { storage, state, limits, json, parameters }: Costed,
): Promise<void> {
  const { estimate } = await describeQuery(storage, state, sql, {
    limits,
    // What is written as a parameter is one, whether it has a value or not.
    parameters: parameters ?? {},
  })
  const { bytes, tables } = estimate
  const usd = athenaPrice(bytes)
  if (json) {
    const shown = tables.map(({ name, bytes: of, files, total }) => ({
      name,
      bytes: of,
      files,
      total,
    }))
    show(`${toJson({ bytes, usd, tables: shown })}\n`)
    return
  }
  for (const { name, bytes: of, files, total } of tables)
    show(`${name}: ${size(of)} in ${files} of ${plural(total, 'file')}\n`)
  const { date } = prices['athena.bytes']
  show(
    `The query reads about ${size(bytes)}. Athena would charge ${usd.toFixed(6)} US dollars for it (price of ${date ?? 'an unknown date'}, at least 10 MB a query). Here it is free.\n`,
  )
}
