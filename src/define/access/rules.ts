import type { Sql } from '../model.js'
import { mistake } from '../problems/mistakes.js'
import { renderSql } from '../sql/sql.js'
import { parseGrant, type RuledTable } from './rights.js'

/** Rules of a table, with the text that names it. */
export interface WrittenRules extends RuledTable {
  readonly text: string
}

interface Given {
  masks?: Readonly<Record<string, Readonly<Record<string, Sql>>>>
  rows?: Readonly<Record<string, Sql>>
}

/** The rules that a principal's options have, by table. */
export function rulesIn(of: string, { masks = {}, rows = {} }: Given): WrittenRules[] {
  const names = [...new Set([...Object.keys(masks), ...Object.keys(rows)])]
  return names.flatMap((text) => {
    const grant = parseGrant(text)
    if (!grant || grant.below) {
      mistake(
        `${of}: '${text}' is not a table`,
        `'${text}'`,
        "Masks and conditions are of one table each: 'silver.orders'",
      )
      return []
    }
    const own = Object.hasOwn(masks, text) ? masks[text] : undefined
    const condition = Object.hasOwn(rows, text) ? rows[text] : undefined
    for (const sql of [...Object.values(own ?? {}), ...(condition ? [condition] : [])])
      if (sql.parts.some(({ kind }) => kind === 'dataset' || kind === 'history'))
        mistake(
          `${of}: what is kept of ${text} reads another table`,
          `'${text}'`,
          'Use the columns of the table itself alone.',
        )
    return [
      {
        text,
        levels: grant.levels,
        masks: Object.fromEntries(
          Object.entries(own ?? {}).map(([column, sql]) => [column, renderSql(sql)]),
        ),
        ...(condition ? { rows: renderSql(condition) } : {}),
      },
    ]
  })
}
