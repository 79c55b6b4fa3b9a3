import { Cursor, type Grammar } from './cursor.js'
import { parseExpression, parseOperand } from './expression.js'
import { parseQuery } from './query.js'

const grammar: Grammar = { expression: parseExpression, query: parseQuery, operand: parseOperand }

/** @param parameters what stands for each `?`. */
export const cursorOver = (statement: string, parameters: readonly string[] = []) =>
  new Cursor(statement, grammar, parameters)
