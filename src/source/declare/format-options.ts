import { mistake } from '../../define/problems/mistakes.js'

/**
 * How a file is laid out. By its ending where nothing is said; text between delimiters where the
 * ending tells nothing.
 */
export type FileFormat =
  | 'delimited'
  | 'json'
  | 'jsonl'
  | 'xml'
  | 'fixed'
  | 'parquet'
  | 'avro'
  | 'excel'

/** Options that mean something in some formats alone, and in which. */
const formatsOf: Readonly<Record<string, readonly FileFormat[]>> = {
  delimiter: ['delimited'],
  quote: ['delimited'],
  header: ['delimited', 'excel'],
  nulls: ['delimited', 'fixed', 'excel'],
  encoding: ['delimited', 'fixed', 'json', 'jsonl', 'xml'],
  rows: ['json', 'xml'],
  lists: ['xml'],
  widths: ['fixed'],
  sheet: ['excel'],
  range: ['excel'],
  merged: ['excel'],
}

const titles: Readonly<Record<FileFormat, string>> = {
  delimited: 'delimited text',
  json: 'JSON',
  jsonl: 'JSON lines',
  xml: 'XML',
  fixed: 'fixed-width text',
  parquet: 'Parquet',
  avro: 'Avro',
  excel: 'Excel',
}

/** What an option applies to, in words, if it means nothing in a format. */
export function appliesElsewhere(option: string, format: FileFormat): string | undefined {
  const formats = Object.entries(formatsOf).find(([name]) => name === option)?.[1]
  return !formats || formats.includes(format) ? undefined : listed(formats)
}

/** What a format is called. */
export const titleOf = (format: FileFormat): string => titles[format]

function listed(formats: readonly FileFormat[]): string {
  const list = formats.map((name) => titles[name])
  const last = list.pop() ?? ''
  return list.length > 0 ? `${list.join(', ')} and ${last}` : last
}

/** Tells of options that mean nothing in a format: whoever gives them expects something of them. */
export function refuseMeaningless(call: string, options: object, format: FileFormat): void {
  for (const [option, formats] of Object.entries(formatsOf)) {
    const given = Object.entries(options).some(([name, v]) => name === option && v !== undefined)
    if (!given || formats.includes(format)) continue
    const all = listed(formats)
    mistake(
      `${call}: ${option} applies to ${all}; these files are ${titles[format]}`,
      `${option}:`,
      adviceFor(option, format),
    )
  }
}

function adviceFor(option: string, format: FileFormat): string {
  if (option === 'nulls')
    return "Remove it and set it on the type of the column: t.int({ nulls: ['N/A'] }).nullable()"
  if (option === 'rows' && format === 'jsonl')
    return "Remove it: each line is a row. For documents with rows in them, use format: 'json'."
  return 'Remove it, or set format to the format of the files.'
}
