import type { z } from 'zod'
import { type Reading, readingOf, type Said, saidOf } from '../types/reading.js'
import { columnTypeOf, defOf } from '../types/schema.js'
import {
  hasSpecifier,
  knownSpecifiers,
  namedFormats,
  unknownSpecifiers,
} from '../types/strptime.js'
import type { Collector } from './collector.js'

/** What is wrong with how a column is to be read. */
export function readingProblems(name: string, schema: z.ZodType, collect: Collector): void {
  const problem = (message: string, near: string, hint?: string) =>
    collect.add(`column '${name}': ${message}`, near, hint)
  for (const said of saidWithin(schema))
    problem(
      `${said.call}({ ${Object.keys(said.options).join(', ')} }) says how a text is read, but it is inside of a list or a struct, which are JSON`,
      `${name}:`,
      'Take the value out with select, and give it a column of its own',
    )
  const reading = readingOf(schema)
  numberProblems(reading, problem)
  timeProblems(columnTypeOf(schema).kind === 'timestamptz', reading, problem)
}

/** Of gold, nothing is read from texts: its columns are what SQL gives. */
export function unreadProblems(name: string, schema: z.ZodType, collect: Collector): void {
  for (const said of [saidOf(schema) ?? [], saidWithin(schema)].flat())
    collect.add(
      `column '${name}': ${said.call}({ ${Object.keys(said.options).join(', ')} }) says how a text is read, but SQL gives gold its values`,
      `${name}:`,
      'Leave the options out, or say it in silver',
    )
}

type Report = (message: string, near: string, hint?: string) => void

/** What types inside of lists and structs were told. */
function saidWithin(schema: z.ZodType): Said[] {
  const def = defOf(schema)
  const parts: z.ZodType[] =
    def.type === 'array' ? [def.element] : def.type === 'object' ? Object.values(def.shape) : []
  const own = parts.flatMap((part) => saidOf(part) ?? [])
  const inner = def.innerType ?? (def.type === 'pipe' ? def.in : undefined)
  return [...own, ...[...parts, ...(inner ? [inner] : [])].flatMap(saidWithin)]
}

function numberProblems({ decimal = '.', group }: Reading, report: Report): void {
  if (group === decimal)
    report(
      `'${decimal}' can't stand both before decimals and between groups`,
      'group:',
      decimal === '.' ? "Say what stands before decimals: decimal: ','" : undefined,
    )
}

function timeProblems(isMoment: boolean, reading: Reading, report: Report): void {
  const { formats, year, epoch, midnight, zone, zones, ambiguous } = reading
  for (const format of formats ?? []) formatProblems(format, isMoment, reading, report)
  if (year !== undefined && !formats?.some(lacksYear))
    report('year is for formats that have none', 'year:')
  if (epoch !== undefined && formats)
    report(
      'epoch says that the text is a number, and format that it is not',
      'epoch:',
      'Leave one of them out',
    )
  if (epoch !== undefined && zone !== undefined)
    report('epoch counts in UTC, so there is nothing for zone to say', 'zone:')
  if (midnight && formats)
    report(
      'midnight is for texts in ISO 8601, and format says that these are others',
      'midnight:',
      "Write the midnight into the format: '%d.%m.%Y 00:00:00'",
    )
  const named = formats?.some((format) => hasSpecifier(format, 'Z'))
  if (zones && !named) report('zones says what %Z reads, but no format has it', 'zones:')
  if (ambiguous !== undefined && zone === undefined && !named)
    report('ambiguous decides between times of a zone, but there is none', 'ambiguous:')
}

/** Whether a format's texts do not say their year. */
function lacksYear(format: string): boolean {
  const written = namedFormats[format] ?? format
  return written !== '' && !hasSpecifier(written, 'Y') && !hasSpecifier(written, 'y')
}

function formatProblems(
  format: string,
  isMoment: boolean,
  { zone, year }: Reading,
  report: Report,
): void {
  const near = `'${format}'`
  const offset = format === 'rfc2822' || hasSpecifier(format, 'z') || hasSpecifier(format, 'Z')
  if (isMoment && !offset && zone === undefined && format !== 'iso')
    report(
      `the format '${format}' needs %z, the offset that makes it a moment`,
      near,
      "Without an offset in the source, use t.timestamp(), or say the time zone: zone: 'Europe/Berlin'",
    )
  if (!isMoment && offset)
    report(
      `the format '${format}' reads an offset${format === 'rfc2822' ? '' : ' (%z)'}, which this type would lose`,
      near,
      'Use t.timestamptz()',
    )
  if (year === undefined && lacksYear(format))
    report(
      `the format '${format}' has no year`,
      near,
      'Say it: year: 2026. Where it is in another column or the name of the file, add it to the text with select',
    )
  for (const specifier of format in namedFormats ? [] : unknownSpecifiers(format))
    report(
      `the format '${format}' uses %${specifier}, which is not known`,
      near,
      `Known are: ${knownSpecifiers.map((s) => `%${s}`).join(' ')}`,
    )
}
