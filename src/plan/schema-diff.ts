import { type Field, typeName } from '../define/types/column-type.js'
import { ownValue } from '../own-value.js'
import { widens } from './changes.js'

/** One difference between a table's columns as they are and as they will be. */
export interface ColumnChange {
  column: string
  change: 'added' | 'removed' | 'renamed' | 'type'
  /** Type or name before and after. */
  before?: string
  after?: string
  /** Whether something that reads the table today may fail or misread it tomorrow. */
  breaking: boolean
}

/** How the columns of a table change. `renamed` maps old names to new ones. */
export function schemaDiff(
  before: readonly Field[],
  after: readonly Field[],
  renamed: Readonly<Record<string, string>> = {},
): ColumnChange[] {
  const old = new Map(before.map((field) => [ownValue(renamed, field.name) ?? field.name, field]))
  const fresh = new Set(after.map((field) => field.name))
  const removed = before
    .filter((field) => !fresh.has(ownValue(renamed, field.name) ?? field.name))
    .map(({ name, type }): ColumnChange => {
      return { column: name, change: 'removed', before: typeName(type), breaking: true }
    })
  const others = after.flatMap(({ name, type }): ColumnChange[] => {
    const known = old.get(name)
    if (!known) return [{ column: name, change: 'added', after: typeName(type), breaking: false }]
    const [from, to] = [typeName(known.type), typeName(type)]
    return [
      ...(known.name === name
        ? []
        : [
            {
              column: name,
              change: 'renamed' as const,
              before: known.name,
              after: name,
              breaking: true,
            },
          ]),
      ...(stored(from) === stored(to)
        ? []
        : [
            {
              column: name,
              change: 'type' as const,
              before: from,
              after: to,
              breaking: !widens(stored(from), stored(to)),
            },
          ]),
    ]
  })
  return [...removed, ...others]
}

/** Texts that are checked are stored as any text: the same to readers. */
function stored(type: string): string {
  return type === 'json' || type === 'uuid' ? 'string' : type
}

/** A decimal with other digits behind the point may hold all values, and is another type still. */
function isOtherScale(before = '', after = ''): boolean {
  const [a, b] = [before, after].map((type) => /^decimal\(\d+,(\d+)\)$/.exec(type)?.[1])
  return a !== undefined && b !== undefined && a !== b
}

/** A change in words, as plans show it: `+ amount decimal(12,2)`. */
export function sayChange({ column, change, before, after }: ColumnChange): string {
  switch (change) {
    case 'added':
      return `+ ${column} ${after}`
    case 'removed':
      return `- ${column} ${before}`
    case 'renamed':
      return `~ ${before} → ${after}`
    case 'type':
      return `~ ${column} ${before} → ${after}${isOtherScale(before, after) ? " (Iceberg can't change the scale of a decimal)" : ''}`
  }
}
