import { extname, resolve } from 'node:path'
import type { Command } from 'commander'
import { MoraineError } from '../../errors.js'
import { endNow } from '../../process/end-now.js'
import { abortController } from '../../signals.js'
import { replaceFile } from '../../storage/replace-file.js'
import { writeData } from '../output/terminal.js'
import { binaryFormats, dataFormat, type Rows, showTable } from './result-formats.js'

/** Gives a command options of how its result is written. */
export function outputOptions(command: Command): Command {
  return command
    .option(
      '--format <format>',
      'table, csv, json, jsonl, arrow (an IPC stream) or parquet',
      'table',
    )
    .option(
      '--out <file>',
      'write the result to a file, in the format that its name ends with (.csv, .json, .jsonl, .arrows, .parquet)',
    )
    .option('--escape-formulas', "in CSV, put a ' before texts that a spreadsheet would run")
    .option('-n, --limit <rows>', 'maximum number of rows in a table', '100')
}

interface OutputOptions {
  out?: string
  limit: number
  escapeFormulas?: boolean
}

/** Where a result goes, and how it is written. */
export interface ResultOutput extends Disposable {
  format: string
  /** Ends the query, whose file is not finished then. */
  signal: AbortSignal
  write(rows: Rows): Promise<void>
}

const endings: Readonly<Record<string, string>> = {
  '.csv': 'csv',
  '.json': 'json',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.arrows': 'arrow',
  '.parquet': 'parquet',
}

/**
 * Where the results of a command's queries go.
 *
 * @throws MoraineError of kind `usage` for a format that cannot go there, before anything is asked.
 */
export function outputOf(
  command: Command,
  {
    json,
    queries,
    isTerminal = process.stdout.isTTY,
  }: { json: boolean; queries: number; isTerminal?: boolean },
): ResultOutput {
  const { out, limit, escapeFormulas = false } = command.opts<OutputOptions>()
  const format = formatOf(command, json)
  const parts = dataFormat(format)
  const isBinary = binaryFormats.includes(format)
  if (escapeFormulas && format !== 'csv')
    throw new MoraineError('usage', `--escape-formulas is for CSV, not for ${format}`, {
      hint: 'Leave it out, or add --format csv.',
    })
  if (queries > 1 && (isBinary || out !== undefined))
    throw new MoraineError(
      'usage',
      out === undefined
        ? `--format ${format} takes exactly one query`
        : '--out takes exactly one query',
      { hint: 'Run the command once for each file.' },
    )
  if (isBinary && out === undefined && isTerminal)
    throw new MoraineError('usage', `A terminal cannot show what --format ${format} writes`, {
      hint: `Write it to a file (--out result.${format === 'arrow' ? 'arrows' : format}), or into a pipe.`,
    })
  const stopped = abortController()
  const { signal } = stopped
  if (!parts)
    return { format, signal, write: (rows) => showTable(rows, limit), [Symbol.dispose]() {} }
  if (out === undefined) {
    const write = async (rows: Rows) => {
      for await (const part of parts(rows, { escapeFormulas })) await writeData(part)
    }
    return { format, signal, write, [Symbol.dispose]() {} }
  }
  // What is begun beside the file goes with the query.
  const cancel = (name: 'SIGINT' | 'SIGTERM') => {
    if (signal.aborted) endNow(name)
    stopped.abort(new MoraineError('cancelled', `${out} was not written`))
  }
  process.on('SIGINT', cancel).on('SIGTERM', cancel)
  return {
    ...{ format, signal },
    write: (rows) => replaceFile(resolve(out), parts(rows, { signal, escapeFormulas }), { signal }),
    [Symbol.dispose]: () => {
      process.off('SIGINT', cancel).off('SIGTERM', cancel)
    },
  }
}

/** The format that is asked for, or that the file's name ends with. */
function formatOf(command: Command, json: boolean): string {
  const { out, format } = command.opts<{ out?: string; format: string }>()
  const isSaid = command.getOptionValueSource('format') !== 'default'
  if (json && isSaid && binaryFormats.includes(format))
    throw new MoraineError('usage', `--json and --format ${format} contradict each other`, {
      hint: 'Leave one of them out.',
    })
  if (json) return 'json'
  if (out === undefined) return format
  const found = isSaid ? format : endings[extname(out).toLowerCase()]
  if (found !== undefined && found !== 'table') return found
  throw new MoraineError('usage', `--out ${out} does not tell in which format it is to be`, {
    hint: `Add --format csv, json, jsonl, arrow or parquet, or use a name that ends with ${Object.keys(endings).join(', ')}.`,
  })
}
