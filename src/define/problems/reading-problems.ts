import type { z } from 'zod'
import { ownValue } from '../../own-value.js'
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
      `${said.call}({ ${Object.keys(said.options).join(', ')} }) says how to parse text, but the column is inside a list or struct, which is read as JSON`,
      `${name}:`,
      'Extract the value with select into a column of its own',
    )
  const reading = readingOf(schema)
  numberProblems(reading, problem)
  timeProblems(columnTypeOf(schema).kind === 'timestamptz', reading, problem)
}

/** Of gold, nothing is read from texts: its columns are what SQL gives. */
export function unreadProblems(name: string, schema: z.ZodType, collect: Collector): void {
  for (const said of [saidOf(schema) ?? [], saidWithin(schema)].flat())
    collect.add(
      `column '${name}': ${said.call}({ ${Object.keys(said.options).join(', ')} }) says how to parse text, but the columns of gold and of external tables are typed already`,
      `${name}:`,
      'Remove the options here, or set them in silver',
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
      `'${decimal}' cannot be both the decimal mark and the group separator`,
      'group:',
      decimal === '.' ? "Set the decimal mark: decimal: ','" : undefined,
    )
}

function timeProblems(isMoment: boolean, reading: Reading, report: Report): void {
  const { formats, year, epoch, midnight, zone, zones, ambiguous } = reading
  for (const format of formats ?? []) formatProblems(format, isMoment, reading, report)
  if (year !== undefined && !formats?.some(lacksYear))
    report('year is only for formats without a year', 'year:')
  if (epoch !== undefined && formats)
    report(
      'epoch means that the text is a number, but format means that it is not',
      'epoch:',
      'Remove one of them',
    )
  if (epoch !== undefined && zone !== undefined)
    report('epoch is always in UTC, so zone has no effect', 'zone:')
  if (midnight && formats)
    report(
      'midnight applies to ISO 8601, but format specifies another format',
      'midnight:',
      "Put the midnight into the format: '%d.%m.%Y 00:00:00'",
    )
  const named = formats?.some((format) => hasSpecifier(format, 'Z'))
  if (zones && !named) report('zones defines the names for %Z, but no format has %Z', 'zones:')
  if (ambiguous !== undefined && zone === undefined && !named)
    report(
      'ambiguous resolves times that occur twice in a time zone, but there is no zone',
      'ambiguous:',
    )
}

/** Whether a format's texts do not say their year. */
function lacksYear(format: string): boolean {
  const written = ownValue(namedFormats, format) ?? format
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
      `the format '${format}' needs %z, the UTC offset, to give a point in time`,
      near,
      "If the source has no offset, use t.timestamp(), or set the time zone: zone: 'Europe/Berlin'",
    )
  if (!isMoment && offset)
    report(
      `the format '${format}' has a UTC offset${format === 'rfc2822' ? '' : ' (%z)'}, which this type would lose`,
      near,
      'Use t.timestamptz()',
    )
  if (year === undefined && lacksYear(format))
    report(
      `the format '${format}' has no year`,
      near,
      'Set it: year: 2026. If it is in another column or in the file name, prepend it to the text with select',
    )
  for (const specifier of Object.hasOwn(namedFormats, format) ? [] : unknownSpecifiers(format))
    report(
      `the format '${format}' uses the unknown specifier %${specifier}`,
      near,
      `Supported specifiers: ${knownSpecifiers.map((s) => `%${s}`).join(' ')}`,
    )
}
