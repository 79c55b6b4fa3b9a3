import type { QuarantinedObject } from '../../log/quarantined.js'
import { size } from './format.js'
import { cellsOf, terminalWidth, textTable } from './table.js'
import { printable } from './terminal.js'

type Listed = Pick<
  QuarantinedObject,
  'id' | 'name' | 'size' | 'arrived' | 'failures' | 'held' | 'reason'
>

/** Cells before what is said of an object, where it takes two lines. */
const INDENT = 10

/**
 * What is in quarantine, as a table where its lines fit the terminal; otherwise two lines for each
 * object, of which the first has its name, shortened in the middle, and the second the reason.
 *
 * @param width cells of a line; as many as it needs without it.
 */
export function quarantineList(
  found: readonly { dataset: string; object: Listed }[],
  width: number | undefined = terminalWidth(),
): string {
  const rows = found.map(({ dataset, object }) => ({
    id: object.id,
    dataset: dataset.replace(/^bronze\./, ''),
    object: object.name,
    size: size(object.size),
    arrived: object.arrived.slice(0, 10),
    failed: `${object.failures}×, ${object.held ? 'stays' : 'again'}`,
    reason: object.reason,
  }))
  const columns = Object.keys(rows[0] ?? {}).map((name) => ({ name, right: name === 'size' }))
  const table = textTable(columns, rows, { width: undefined })
  const lines = table.split('\n').slice(2)
  if (width === undefined || lines.every((line) => cellsOf(line) <= width)) return table
  return rows
    .map(({ id, dataset, object, failed, reason }) => {
      const about = `${dataset}, ${failed}: `
      const name = shortened(printable(object), width - INDENT - cellsOf(about))
      return `${id}  ${about}${name}\n${' '.repeat(INDENT)}${cut(printable(reason), width - INDENT)}`
    })
    .join('\n')
}

/** A text as its beginning and its end, where it is longer: names of files differ there. */
function shortened(text: string, cells: number): string {
  const most = Math.max(cells, 20)
  if (cellsOf(text) <= most) return text
  const end = [...text]
  const tail: string[] = []
  while (cellsOf(tail.join('')) < Math.floor((most - 1) / 2)) tail.unshift(end.pop() as string)
  return `${cut(text, most - cellsOf(tail.join('')))}${tail.join('')}`
}

/** A text up to so many cells. */
function cut(text: string, cells: number): string {
  if (cellsOf(text) <= cells) return text
  let found = ''
  for (const char of text) {
    if (cellsOf(found + char) > cells - 1) break
    found += char
  }
  return `${found.trimEnd()}…`
}
