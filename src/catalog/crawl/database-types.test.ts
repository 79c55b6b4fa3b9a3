import { expect, it } from 'vitest'
import { columnOf } from './database-types.js'

it("reads a rowversion of SQL Server as the number that it is, whatever the server's catalog calls it", () => {
  const schemaOf = (type: string) =>
    columnOf('sqlserver', { column: 'rv', type, nullable: false, words: [], comment: '' }, '')
      .schema
  expect([schemaOf('timestamp'), schemaOf('rowversion')]).toEqual(['t.bigint()', 't.bigint()'])
  expect(schemaOf('datetime2')).toBe('t.timestamp()')
})
