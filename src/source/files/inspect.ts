import { stat } from 'node:fs/promises'
import { MoraineError } from '../../errors.js'
import type { LookOptions } from '../text/look.js'
import type { LookedAt, LookTask } from '../text/look-task.js'
import { lookOver } from '../text/look-threads.js'
import { type TextLayout, valueColumns } from '../text/value-texts.js'

/** What one look over all bytes of a text file tells. */
export interface Inspection {
  sha256: string
  bytes: number
  /** Line feeds in the file, plus one for a last line without. */
  lines: number
  /** Lines end in a carriage return alone. */
  carriageReturns: boolean
  bom: boolean
  utf8: boolean
  nul: boolean
  /** It holds the quote character, or the one that escapes. */
  quotes: boolean
  /** It holds 0x1A or 0x1F, which have a meaning in the canonical form. */
  controls: boolean
  /** Bytes of the longest line. */
  longest: number
  /** It may hold numbers of more digits than a double keeps. */
  numbers: boolean
  /**
   * The engine's own reader may try the file: no NUL, no stray carriage return, no blank line, no
   * space beside a quote (which the engine would drop). If it then finds as many records as there
   * are lines, each line is one record.
   */
  plain: boolean
  /**
   * Columns, with their types, all of whose fields are just what values are written as; where it
   * was asked for, and the text has no quotes.
   */
  values: ReadonlyMap<string, string> | undefined
}

export interface InspectOptions extends LookOptions {
  signal?: AbortSignal | undefined
  /** Looks for columns that can be read as values. */
  layout?: TextLayout | undefined
}

/**
 * Looks over a text file.
 *
 * @throws MoraineError of kind `source` when it can't be read.
 */
export async function inspect(
  path: string,
  name: string,
  { layout, signal, ...options }: InspectOptions,
): Promise<Inspection> {
  try {
    const { size } = await stat(path)
    const task: LookTask = { path, size, options, layout }
    const found = await lookOver(task, signal)
    return inspectionOf(found, layout)
  } catch (cause) {
    if (cause instanceof MoraineError) throw cause
    throw new MoraineError('source', `Can't read ${name}: ${(cause as Error).message}`, { cause })
  }
}

function inspectionOf(
  { sha256, facts, machine, wrong }: LookedAt,
  layout: TextLayout | undefined,
): Inspection {
  const { bytes, feeds, returns, crlf, longest, unfinished } = facts
  const { bom, utf8, nul, quotes, controls, numbers, blank, spaceAtQuote } = facts
  const uniform = returns === 0 || (returns === crlf && crlf === feeds)
  const special = nul || controls || spaceAtQuote
  // All that separates fields are delimiters and ends of lines.
  const isSimple = !nul && !quotes && !controls
  return {
    ...{ sha256, bytes, bom, utf8, nul, quotes, controls, numbers, longest },
    lines: feeds + (unfinished > 0 ? 1 : 0),
    carriageReturns: feeds === 0 && returns > 0,
    plain: utf8 && uniform && !special && !blank,
    values: layout && machine && isSimple ? valueColumns(layout, machine, wrong) : undefined,
  }
}
