import type { Rule, Write } from '../rule.js'

const infix =
  (operator: string): Write =>
  (args) =>
    `(${args.join(` ${operator} `)})`

const both = (write: Write) => ({ trino: write, spark: write, typed: true })

/** What the same text means alike on all engines, NULLs included. */
const comparisons: readonly Rule[] = [
  ['=', '='],
  ['<>', '<>'],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
  ['is distinct from', 'IS DISTINCT FROM'],
  ['is not distinct from', 'IS NOT DISTINCT FROM'],
].map(([name, operator]) => ({
  name: name as string,
  takes: ['comparable', 'comparable'],
  alike: true,
  ...both(infix(operator as string)),
}))

const nan = (text: string) => `is_nan(${text})`

/** NaN equals itself and is the greatest; in Trino it is neither. */
const doubles: readonly Rule[] = [
  ['=', (a: string, b: string) => `(${a} = ${b} OR (${nan(a)} AND ${nan(b)}))`],
  ['<>', (a: string, b: string) => `(${a} <> ${b} AND NOT (${nan(a)} AND ${nan(b)}))`],
  ['<', (a: string, b: string) => `(${a} < ${b} OR (NOT ${nan(a)} AND ${nan(b)}))`],
  ['<=', (a: string, b: string) => `(${a} <= ${b} OR ${nan(b)} AND ${a} IS NOT NULL)`],
  ['>', (a: string, b: string) => `(${a} > ${b} OR (${nan(a)} AND NOT ${nan(b)}))`],
  ['>=', (a: string, b: string) => `(${a} >= ${b} OR ${nan(a)} AND ${b} IS NOT NULL)`],
].map(([name, write]) => ({
  name: name as string,
  takes: ['double', 'double'],
  trino: ([a, b]) => (write as (a: string, b: string) => string)(a as string, b as string),
  spark: infix(name as string),
  typed: true,
}))

export const operators: readonly Rule[] = [
  ...comparisons,
  ...doubles,
  { name: 'and', takes: ['boolean'], more: true, ...both(infix('AND')) },
  { name: 'or', takes: ['boolean'], more: true, ...both(infix('OR')) },
  { name: 'not', takes: ['boolean'], ...both(([a]) => `(NOT ${a})`) },
  {
    name: 'in',
    takes: ['comparable', 'comparable'],
    more: true,
    alike: true,
    ...both(([a, ...list]) => `(${a} IN (${list.join(', ')}))`),
  },
  {
    name: 'not in',
    takes: ['comparable', 'comparable'],
    more: true,
    alike: true,
    ...both(([a, ...list]) => `(${a} NOT IN (${list.join(', ')}))`),
  },
  { name: 'is null', takes: ['any'], ...both(([a]) => `(${a} IS NULL)`) },
  { name: 'is not null', takes: ['any'], ...both(([a]) => `(${a} IS NOT NULL)`) },
  {
    name: 'coalesce',
    takes: ['any'],
    more: true,
    alike: true,
    ...both((args) => (args.length === 1 ? (args[0] as string) : `coalesce(${args.join(', ')})`)),
  },
  ...(['greatest', 'least'] as const).map(
    (name): Rule => ({
      name,
      takes: ['comparable', 'comparable'],
      more: true,
      alike: true,
      // NULLs are passed over.
      trino: (args) =>
        `array_${name === 'least' ? 'min' : 'max'}(filter(ARRAY[${args.join(', ')}], one -> one IS NOT NULL))`,
      spark: (args) => `${name}(${args.join(', ')})`,
    }),
  ),
]
