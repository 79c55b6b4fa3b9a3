import { common, isFloat, shown, type TrinoType, VARCHAR } from '../types.js'
import { comparable, compared, isToldApart } from '../write/compare.js'
import { text } from '../write/scope.js'
import { failsWhen, mayStop, repeatable, type Written } from '../write/written.js'
import { type Functions, firstType, type Signature } from './signature.js'

const all = (args: readonly Written[]) =>
  args
    .slice(1)
    .reduce<TrinoType | undefined>((found, one) => common(found, one.type), args[0]?.type)

/** The greatest or least, which is NULL where one is NULL. */
const extreme = (name: string): Signature[] => [
  {
    takes: ['any', 'any'],
    more: true,
    least: 1,
    returns: all,
    write: (args, site) => {
      if (!all(site.args)) throw site.refused(`All values of ${name} must be of one type`)
      const nulls = args.map((one) => `${one} IS NULL`).join(' OR ')
      // Which side NaN is on, Trino has said in several ways.
      const nan = site.args.flatMap(({ type }, i) =>
        type && isFloat(type) ? [`isnan(${args[i]})`] : [],
      )
      const fails = nan.length > 0 ? failsWhen(nan.join(' OR '), `${name} of NaN`) : ''
      return `CASE WHEN ${nulls} THEN NULL ${fails} ELSE ${name}(${args.join(', ')}) END`
    },
  },
]

export const choices: Functions = {
  coalesce: [
    {
      takes: ['any', 'any'],
      more: true,
      returns: all,
      write: (args, site) => {
        if (site.args.every(({ type }) => type) && !all(site.args))
          throw site.refused('All values of coalesce must be of one type')
        return `coalesce(${args.join(', ')})`
      },
    },
  ],
  nullif: [
    {
      takes: ['any', 'any'],
      returns: firstType,
      write: ([a, b], site) => {
        if (site.args.every(({ type }) => type) && !all(site.args))
          throw site.refused('Both values of nullif must be of one type')
        const [x, y] = site.args as [Written, Written]
        comparable(x, y, site.node.at, site)
        if (!isToldApart(x, y)) return `nullif(${a}, ${b})`
        return repeatable([x, y], ([one, other]) => {
          const isSame = compared(one as Written, '=', other as Written)
          return `CASE WHEN ${isSame} THEN NULL ELSE ${one?.sql} END`
        })
      },
    },
  ],
  if: [
    {
      takes: ['boolean', 'any', 'any'],
      least: 2,
      returns: ([, a, b]) => (b ? common(a?.type, b.type) : a?.type),
      write: ([condition, a, b], site) => {
        const [, one, other] = site.args
        if (one?.type && other?.type && !common(one.type, other.type))
          throw site.refused('Both values of if must be of one type')
        return `CASE WHEN ${condition} THEN ${a}${b === undefined ? '' : ` ELSE ${b}`} END`
      },
    },
  ],
  try: [
    {
      takes: ['any'],
      returns: firstType,
      write: ([a = ''], { refused }) => {
        if (mayStop(a))
          throw refused(
            'TRY of rows or arrays that are compared by their order or looked for, or of patterns with $, is not translated',
            'Leave out TRY.',
          )
        return `try(${a})`
      },
    },
  ],
  typeof: [
    {
      takes: ['any'],
      returns: VARCHAR,
      write: (_, { args, refused }) => {
        const name = args[0]?.type && shown(args[0].type)
        // Trino knows how long a constant is.
        if (!name || /varchar|varbinary/.test(name))
          throw refused('typeof of this value is not translated')
        return text(name)
      },
    },
  ],
  greatest: extreme('greatest'),
  least: extreme('least'),
}
