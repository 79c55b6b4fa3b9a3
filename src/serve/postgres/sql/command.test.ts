import { describe, expect, it } from 'vitest'
import { commandOf } from './command.js'

describe('what a statement asks for', () => {
  it('is known whatever stands before it', () => {
    expect(commandOf(' /* a */ -- b\n BEGIN READ ONLY')).toEqual({ kind: 'begin' })
    expect(commandOf('start transaction')).toEqual({ kind: 'begin' })
    expect(commandOf('END')).toEqual({ kind: 'commit' })
    expect(commandOf('ROLLBACK TO SAVEPOINT a')).toEqual({ kind: 'nothing', tag: 'ROLLBACK' })
    expect(commandOf('DISCARD ALL')).toEqual({ kind: 'discard' })
    expect(commandOf('DISCARD PLANS')).toEqual({ kind: 'nothing', tag: 'DISCARD PLANS' })
    expect(commandOf('  -- nothing')).toEqual({ kind: 'empty' })
  })

  it('sets what PostgreSQL sets, in all of its ways', () => {
    const set = (sql: string) => {
      const command = commandOf(sql)
      return command.kind === 'set' ? [command.name, command.value] : command
    }
    expect(set("SET TIME ZONE 'Europe/Berlin'")).toEqual(['timezone', 'Europe/Berlin'])
    expect(set('SET LOCAL search_path TO silver, "Gold"')).toEqual([
      'search_path',
      'silver, "Gold"',
    ])
    expect(commandOf('SET LOCAL a = 1')).toMatchObject({ isLocal: true })
    expect(set("SET statement_timeout = '30s'")).toEqual(['statement_timeout', '30s'])
    expect(set('SET x.y TO DEFAULT')).toEqual(['x.y', undefined])
    expect(set('RESET ALL')).toEqual(['all', undefined])
  })

  it.each([
    'INSERT INTO a VALUES (1)',
    'drop table a',
    'Do $$ x $$',
    'COPY a FROM STDIN',
    'CALL f()',
  ])('refuses what would write: %s', (sql) => {
    expect(() => commandOf(sql)).toThrow(expect.objectContaining({ code: '25006' }))
  })

  it('copies a query or a table, as text or CSV', () => {
    expect(commandOf("COPY (SELECT 'to' FROM (SELECT 1) AS x) TO STDOUT CSV HEADER")).toEqual({
      ...{ kind: 'copy', csv: true, header: true, delimiter: ',', null: '' },
      sql: "SELECT 'to' FROM (SELECT 1) AS x",
    })
    expect(commandOf('copy gold.daily to stdout')).toMatchObject({
      ...{ sql: 'SELECT * FROM gold.daily', csv: false, header: false, null: '\\N' },
    })
    expect(() => commandOf("COPY gold.daily TO '/etc/passwd'")).toThrow(/STDOUT/)
    expect(() => commandOf("COPY gold.daily TO PROGRAM 'rm'")).toThrow(/STDOUT/)
  })
})
