import { describe, expect, it } from 'vitest'
import { messageOf } from '../../../errors.js'
import type { ChangeStatement } from '../parse/change.js'
import { parseStatement } from '../statement.js'
import { translateChange } from '../translate.js'
import { BIGINT, decimal, INTEGER, timestamp, VARCHAR } from '../types.js'

const columns = [
  { name: 'id', type: BIGINT },
  { name: 'qty', type: INTEGER },
  { name: 'price', type: decimal(8, 2) },
  { name: 'who', type: VARCHAR },
  { name: 'seen', type: timestamp(6) },
  { name: 'code', type: undefined },
]

function changed(text: string) {
  const { statement } = parseStatement(text)
  const table = (parts: readonly string[]) => ({ sql: `"s"."${parts.at(-1)}"`, columns })
  return translateChange(statement as ChangeStatement, { statement: text, table })
}

const why = (text: string) => {
  try {
    return JSON.stringify(changed(text))
  } catch (error) {
    return messageOf(error).split('\n')[0]
  }
}

describe('statements that change rows', () => {
  it('say which rows, and what they become', () => {
    expect(changed('UPDATE t SET qty = qty + 1, who = NULL WHERE id > 3')).toMatchInlineSnapshot(`
      {
        "actions": [
          {
            "does": "update",
            "sets": [
              "qty",
              "who",
            ],
            "values": [
              {
                "column": "qty",
                "sql": "CAST(("t"."qty" + CAST(1 AS INTEGER)) AS INTEGER)",
              },
              {
                "column": "who",
                "sql": "CAST(NULL AS VARCHAR)",
              },
            ],
          },
        ],
        "columns": [
          "qty",
          "who",
        ],
        "sql": "SELECT 1 AS "m action", "t"."_data_file" AS "m file", "t"."_data_row" AS "m row", CAST(("t"."qty" + CAST(1 AS INTEGER)) AS INTEGER) AS "c0", CAST(NULL AS VARCHAR) AS "c1" FROM "s"."t" AS "t" WHERE ("t"."id" > 3)",
      }
    `)
    const merge = changed(`MERGE INTO t AS x USING u ON x.id = u.id
      WHEN MATCHED AND u.qty IS NULL THEN DELETE
      WHEN MATCHED THEN UPDATE SET price = u.price
      WHEN NOT MATCHED THEN INSERT (who, id) VALUES (u.who, u.id)`)
    expect(merge.columns).toEqual(['price', 'who', 'id'])
    expect(merge.actions.map(({ does, sets }) => [does, ...sets])).toEqual([
      ['delete'],
      ['update', 'price'],
      ['insert', 'who', 'id'],
    ])
    expect(merge.sql).toContain('LEFT JOIN "s"."t" AS "x" ON')
    expect(changed('MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE').sql).toContain(
      'INNER JOIN "s"."t" AS "t" ON',
    )
  })

  it('take values of a column’s type, or of a narrower one', () => {
    for (const set of [
      'price = 1.5',
      "seen = DATE '2026-01-01'",
      "seen = TIMESTAMP '2026-01-01 10:00:00'",
      'id = qty',
      "who = 'a'",
      'code = 1',
      'id = NULL',
    ])
      expect(why(`UPDATE t SET ${set}`), set).toMatch(/^\{/)
    // A wider one fails for values that the column cannot have.
    expect(why('UPDATE t SET qty = id')).toContain('Trino: A value is out of range for integer')
    expect(why('UPDATE t SET price = 1.555')).toContain('A value has more digits than decimal(8,2)')
    expect(why('UPDATE t SET qty = 1.7')).toMatchInlineSnapshot(
      `"line 1:20: The column qty is integer, and the value is double"`,
    )
    expect(why('UPDATE t SET price = price * 2')).toMatchInlineSnapshot(
      `"line 1:28: The column price is decimal(8,2), and the value is decimal(18,2)"`,
    )
    expect(why('UPDATE t SET who = 1')).toMatchInlineSnapshot(
      `"line 1:20: The column who is varchar, and the value is integer"`,
    )
  })

  it('are refused where they say nothing that can be done', () => {
    expect(why('UPDATE t SET nothing = 1')).toMatchInlineSnapshot(
      `"line 1:14: Column 'nothing' cannot be resolved"`,
    )
    expect(why('UPDATE t SET qty = 1, QTY = 2')).toMatchInlineSnapshot(
      `"line 1:23: Column 'QTY' is set more than once"`,
    )
    expect(why('UPDATE t SET qty = 1 WHERE qty')).toMatchInlineSnapshot(
      `"line 1:28: A condition must be boolean, and not integer"`,
    )
    const merge = 'MERGE INTO t USING u ON t.id = u.id'
    expect(why(merge)).toMatchInlineSnapshot(
      `"line 1:36: mismatched input 'the end of the statement'. Expecting: WHEN"`,
    )
    expect(why(`${merge} WHEN MATCHED THEN INSERT VALUES (1)`)).toMatchInlineSnapshot(
      `"line 1:55: mismatched input 'INSERT'. Expecting: UPDATE"`,
    )
    expect(why(`${merge} WHEN NOT MATCHED THEN INSERT VALUES (1)`)).toMatchInlineSnapshot(
      `"line 1:37: Insert query has 1 values, and the table has 6 columns"`,
    )
    expect(why(`${merge} WHEN NOT MATCHED THEN INSERT (id) VALUES (1, 2)`)).toMatchInlineSnapshot(
      `"line 1:66: Insert has 1 columns and 2 values"`,
    )
    expect(why(`${merge} WHEN NOT MATCHED THEN INSERT (id) VALUES (t.id)`)).toMatchInlineSnapshot(
      `"line 1:79: Column 't.id' cannot be resolved"`,
    )
    expect(why(`${merge} WHEN NOT MATCHED BY SOURCE THEN DELETE`)).toMatchInlineSnapshot(
      `"line 1:54: WHEN NOT MATCHED BY is not served"`,
    )
    // Where rows lie is nothing that a statement can name.
    expect(why('DELETE FROM t WHERE _data_row = 1')).toMatchInlineSnapshot(
      `"line 1:21: Column '_data_row' cannot be resolved"`,
    )
  })
})
