import type { Command, Option } from 'commander'
import { MoraineError } from '../errors.js'
import { intervalFor, secondsFor } from './duration.js'

type Reader = (option: string, text: string) => unknown

/**
 * How values are read, by what an option calls its value: `--limit <rows>`. They are checked before
 * a command begins.
 */
const readers: Readonly<Record<string, Reader>> = {
  commits: whole(1),
  rows: whole(1),
  runs: whole(1),
  lines: whole(0),
  examples: whole(0),
  jobs: whole(1, 64),
  threads: whole(1, 1024),
  port: whole(0, 65_535),
  mebibytes: whole(1, 1_000_000),
  interval: intervalFor,
  duration: (option, text) => {
    secondsFor(option, text)
    return text
  },
}

/** What other values are called, which are texts that a command reads itself. */
export const textValues: readonly string[] = [
  ...['dir', 'url', 'text', 'name', 'names', 'file', 'path', 'policy', 'format', 'rule', 'columns'],
  ...['commit|time', 'commit', 'id', 'column', 'where', 'time', 'from..until', 'job', 'address'],
  ...[
    'class',
    'size',
    'dataset',
    'engine',
    'option',
    'line',
    'character',
    'label',
    'duration|none',
  ],
  'prefixes',
  'catalog',
  'name=value',
]

/** What an option calls its value. */
export function placeholderOf({ flags }: Option): string | undefined {
  return /[<[]([^>\]]+?)(?:\.\.\.)?[>\]]/.exec(flags)?.[1]
}

export function isRead(value: string): boolean {
  return Object.hasOwn(readers, value)
}

/**
 * Has all options of a command checked as the command line is read; where help is asked for, that
 * is given whatever else stands there.
 */
export function readValues(command: Command, isHelp = false): void {
  for (const option of command.options) {
    const reader = readers[placeholderOf(option) ?? '']
    if (!reader) continue
    const read = (text: string) => reader(option.long ?? option.flags, text)
    option.argParser(isHelp ? (text) => text : read)
    if (typeof option.defaultValue === 'string')
      command.setOptionValueWithSource(option.attributeName(), read(option.defaultValue), 'default')
  }
}

function whole(least: number, most = Number.MAX_SAFE_INTEGER): Reader {
  return (option, text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`
    throw new MoraineError('usage', `${option} must be a whole number, ${range}, not '${text}'`, {
      hint: `For example: ${option} ${Math.max(least, Math.min(10, most))}`,
    })
  }
}
