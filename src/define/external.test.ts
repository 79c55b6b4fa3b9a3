import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { DefinitionError } from '../errors.js'
import { check } from './check.js'
import { external, gold, silver } from './dataset.js'
import { defineLake } from './lake.js'
import { after } from './schedule.js'
import { renderSql, sql } from './sql/sql.js'
import { t } from './types/t.js'

function problems(...datasets: Parameters<typeof defineLake>[0]['datasets']) {
  try {
    defineLake({ name: 'test', datasets })
    return []
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error
    return error.problems.map(({ message, hint }) => (hint ? `${message} → ${hint}` : message))
  }
}

const columns = { id: t.bigint(), score: t.double() }

describe('a table of another engine in a definition', () => {
  it('is found by who reads it, and is nothing that a run builds', () => {
    const scores = external('ml.scores', { columns })
    const checked = external('ml.team.checked')
    const best = gold('best', {
      query: sql`select id, score from ${scores} where score > ${0.5}`,
      checks: [check.references('id', checked, 'id')],
    })
    const lake = defineLake({ name: 'test', datasets: [best, scores] })
    expect(lake.datasets).toEqual([best])
    expect(lake.externals).toEqual([scores, checked])
    expect(renderSql(best.query)).toBe('select id, score from "ml"."scores" where score > 0.5')
    expect(renderSql(sql`from ${checked}`)).toBe('from "ml.team"."checked"')
  })

  it.each<[string, () => Parameters<typeof defineLake>[0]['datasets'], string]>([
    ['no namespace', () => [external('scores')], "'scores' has no namespace"],
    ['an empty name', () => [external('ml.')], "each part of 'ml.' must have 1 to 255 characters"],
    ['a control character', () => [external('ml.a\u001fb')], 'characters that no table can have'],
    [
      'the name of a dataset',
      () => [external('silver.orders')],
      'tables of silver are defined in lake.ts, and no other engine writes there → Refer to the dataset by its variable.',
    ],
    ['a hidden tier', () => [external('Tombstones.orders')], 'are defined in lake.ts'],
    ['a schema of SQL', () => [external('main.scores')], 'SQL has a schema called main of its own'],
    ['no columns', () => [external('ml.scores', { columns: {} })], 'columns is empty'],
    [
      'how texts are read',
      () => [external('ml.scores', { columns: { day: t.date({ format: '%d.%m.%Y' }) } })],
      'are typed already',
    ],
    [
      'a column that says where a row lies',
      () => [external('ml.scores', { columns: { _data_row: t.bigint() } })],
      "column '_data_row' has a name that is reserved by Moraine",
    ],
    [
      'a column of our own',
      () => [external('ml.scores', { columns: { _batch: t.string() } })],
      "column '_batch' has a name that is reserved by Moraine",
    ],
    [
      'an option that is misspelt',
      () => [external('ml.scores', { colums: columns } as never)],
      "has no option 'colums' → Did you mean 'columns'?",
    ],
    [
      'a second declaration',
      () => [external('ml.scores'), external('ml.Scores', { columns })],
      "external('ml.Scores') is called twice",
    ],
    [
      'a column that it does not declare',
      () => [
        silver('known', {
          from: external('ml.scores', { columns }),
          schema: z.object({ ib: t.bigint() }),
        }),
      ],
      "silver.known: column 'ib' is not in ml.scores → Did you mean 'id'?",
    ],
    [
      'runs that it starts',
      () => [
        gold('best', {
          query: sql`select 1 as n`,
          schedule: after(external('ml.scores') as never),
        }),
      ],
      'The writes of other engines start no runs',
    ],
  ])('with %s is refused', (_, datasets, message) => {
    expect(problems(...datasets()).join('\n')).toContain(message)
  })
})
