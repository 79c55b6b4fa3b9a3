import type { Command } from 'commander'
import type { Lake } from '../define/lake.js'
import { LEAST_MEMORY, type QueryLimits, queryLimits } from '../define/limits.js'
import { sizeText } from '../define/size.js'
import { MoraineError } from '../errors.js'
import { type Limits, limitsOf } from '../query/limits.js'

/** Gives a command the options that {@link limitsFor} reads. */
export function withLimits(command: Command): Command {
  return command
    .option(
      '--memory <size>',
      'memory limit of the query (default: a quarter of the machine, at most 4 GiB)',
    )
    .option(
      '--timeout <duration|none>',
      'time limit (default: 10m; none if a terminal shows the rows)',
    )
    .option(
      '--spill <size>',
      'disk space for spilling (default, and at most: half of the free space)',
    )
    .option('--max-rows <rows>', 'stop the query if it returns more rows')
    .option('--max-bytes <size>', 'stop the query if its result is larger')
    .option('--threads <threads>', 'number of threads (default: one per processor)')
}

/**
 * What a query of a command may use: what its options say, then what `lake.ts` says, then what is
 * usual.
 */
export function limitsFor(command: Command, ofLake: QueryLimits = {}): Limits {
  const given = command.opts<QueryLimits>()
  refuse('--memory', given.memory, queryLimits.memory.fits, {
    what: 'a valid memory size',
    hint: `Give a number and a unit, at least ${sizeText(LEAST_MEMORY)}: --memory 2GB`,
  })
  for (const [option, size] of [
    ['--spill', given.spill],
    ['--max-bytes', given.maxBytes],
  ] as const)
    refuse(option, size, queryLimits.spill.fits, {
      what: 'a size',
      hint: `Give a number and a unit: ${option} 20GB`,
    })
  refuse('--timeout', given.timeout, queryLimits.timeout.fits, {
    what: 'a duration',
    hint: "Give seconds, minutes or hours, or 'none': --timeout 30s, --timeout 15m",
  })
  return limitsOf(given, ofLake, here())
}

/**
 * The same of a command that asks a query beside its work, and whose options are not those of the
 * query.
 */
export function limitsBeside({ queries }: Pick<Lake, 'queries'>): Limits {
  return limitsOf(queries, here())
}

/** Whoever looks at a terminal can see how long it takes, and stop it. */
function here(): QueryLimits {
  return process.stdout.isTTY ? { timeout: 'none' } : {}
}

function refuse(
  option: string,
  value: string | undefined,
  fits: (value: unknown) => boolean,
  { what, hint }: { what: string; hint: string },
): void {
  if (value === undefined || fits(value)) return
  throw new MoraineError('usage', `${option} ${value} is not ${what}`, { hint })
}
