import type { Problem } from '../../errors.js'
import { fullName } from '../dataset.js'
import type { External } from '../model.js'
import { engineSchemas, managedSchemas } from '../sql/name.js'
import { Collector, columnNameProblems } from './collector.js'
import { isBroken } from './mistakes.js'
import { typedFields } from './problems.js'
import { unreadProblems } from './reading-problems.js'

const LONGEST = 255
const DEEPEST = 16

/** What is wrong with the name of a table of another engine, and what to do. */
function externalNameProblem(
  table: Pick<External, 'tier' | 'namespace' | 'name'>,
): { message: string; hint: string } | undefined {
  const { namespace, name } = table
  const full = fullName(table)
  const [first = ''] = namespace
  const write = "Write its namespace and its name: external('ml.scores')"
  if (namespace.length === 0) return { message: `'${full}' has no namespace`, hint: write }
  if (namespace.length > DEEPEST)
    return { message: `its namespace has more than ${DEEPEST} levels`, hint: write }
  if ([...namespace, name].some((part) => part === '' || part.length > LONGEST))
    return { message: `each part of '${full}' must have 1 to ${LONGEST} characters`, hint: write }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused.
  if (/[\u0000-\u001f\u007f]/.test(full) || !full.isWellFormed() || full.includes('__proto__'))
    return { message: 'its name has characters that no table can have', hint: write }
  if (managedSchemas.includes(first.toLowerCase()))
    return {
      message: `tables of ${first} are defined in lake.ts, and no other engine writes there`,
      hint: 'Refer to the dataset by its variable.',
    }
  if (namespace.length === 1 && engineSchemas.includes(first.toLowerCase()))
    return {
      message: `SQL has a schema called ${first} of its own`,
      hint: 'Keep the table in a namespace of another name.',
    }
  return undefined
}

/** What is wrong with a table of another engine, as it is named and declared. */
export function externalProblems(table: External<any>): Problem[] {
  if (isBroken(table)) return []
  const collect = new Collector(table)
  const problem = externalNameProblem(table)
  if (problem) collect.add(problem.message, table.name, problem.hint)
  const names = Object.keys(table.declared ?? {})
  if (table.declared && names.length === 0)
    collect.add('columns is empty', 'columns', 'Remove it to read all columns')
  typedFields({ ...table.declared }, collect, unreadProblems)
  columnNameProblems(names, collect, (name) => `${name}:`)
  return collect.problems
}
