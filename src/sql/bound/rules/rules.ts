import type { Rule } from '../rule.js'
import { numbers } from './numbers.js'
import { operators } from './operators.js'
import { texts } from './texts.js'
import { times } from './times.js'

export { aggregates, windows } from './aggregates.js'
export { castRule } from './casts.js'

/** What is written for other engines: the same values for all arguments of these types. */
export const functions: readonly Rule[] = [...operators, ...numbers, ...texts, ...times]
