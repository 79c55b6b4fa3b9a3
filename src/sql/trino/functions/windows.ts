import { BIGINT, common, DOUBLE } from '../types.js'
import { type Functions, firstType, type Signature } from './signature.js'

const ranked = (name: string, returns = BIGINT): Signature[] => [
  { takes: [], returns, write: (_, { around }) => around(`${name}()`) },
]

const nulls = (isIgnored: boolean) => (isIgnored ? ' IGNORE NULLS' : '')

const valued = (name: string, takes: readonly string[]): Signature[] => [
  {
    takes,
    least: takes.length > 1 && name !== 'nth_value' ? 1 : takes.length,
    returns: (args) => (args[2] ? common(args[0]?.type, args[2].type) : args[0]?.type),
    write: (args, { around, node }) =>
      around(`${name}(${args.join(', ')}${nulls(node.ignoreNulls)})`),
  },
]

/** Functions that need OVER. */
export const windows: Functions = {
  row_number: ranked('row_number'),
  rank: ranked('rank'),
  dense_rank: ranked('dense_rank'),
  percent_rank: ranked('percent_rank', DOUBLE),
  cume_dist: ranked('cume_dist', DOUBLE),
  ntile: [{ takes: ['count'], returns: BIGINT, write: ([n], { around }) => around(`ntile(${n})`) }],
  lag: valued('lag', ['any', 'count', 'any']),
  lead: valued('lead', ['any', 'count', 'any']),
  first_value: [
    {
      takes: ['any'],
      returns: firstType,
      write: valued('first_value', ['any'])[0]?.write as Signature['write'],
    },
  ],
  last_value: [
    {
      takes: ['any'],
      returns: firstType,
      write: valued('last_value', ['any'])[0]?.write as Signature['write'],
    },
  ],
  nth_value: valued('nth_value', ['any', 'count']),
}
