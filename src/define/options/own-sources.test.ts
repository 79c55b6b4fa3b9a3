import { describe, expect, it } from 'vitest'
import { files, http, mysql, postgres, sqlserver } from '../../source/index.js'
import { bronze } from '../dataset.js'
import type { DatabaseSource, Source } from '../source.js'
import { ownSourcesOf, sampleOf } from './own-sources.js'

const table = { key: 'id', cursor: 'changed', deletes: 'compare', where: 'id > 7' } as const

describe('a sample of a source', () => {
  it('asks a database for its first rows, once and without a cursor', () => {
    const asked = (source: Source) => sampleOf(source, 10) as DatabaseSource
    for (const of of [postgres('postgres://h/d'), mysql('mysql://h/d')])
      expect(asked(of.table('shop.orders', table))).toMatchObject({
        reads: { query: 'SELECT * FROM shop.orders WHERE id > 7 LIMIT 10' },
        where: undefined,
        cursor: undefined,
        // Silver reads the column that says what was deleted.
        compareKeys: true,
      })
    const server = sqlserver('sqlserver://h/d')
    expect(asked(server.table('dbo.orders')).reads).toEqual({
      query: 'SELECT TOP (10) * FROM dbo.orders',
    })
    expect(asked(server.query('select 1 as id')).reads).toEqual({
      query: 'SELECT TOP (10) * FROM (select 1 as id) AS s',
    })
  })

  it('is none of logs that are followed, as lines that come later are not the first', () => {
    expect(sampleOf(files('app.log', { follow: true, columns: ['line'] }), 10)).toBeUndefined()
    expect(sampleOf(files('data/*.csv'), 10)).toMatchObject({ most: 10 })
  })
})

describe('what an environment reads', () => {
  it('is told, and told from others, without secrets', () => {
    const orders = bronze('orders', { from: files('data/*.csv') })
    const of = (source: Source) => {
      const own = ownSourcesOf({ sources: { 'bronze.orders': source } }, [orders])
      return own.get('bronze.orders')
    }
    const at = (password: string) =>
      of(postgres(`postgres://ada:${password}@db.internal:5432/shop`).table('orders'))
    expect(at('hush-1')?.from).toBe('table orders of postgres db.internal:5432/shop')
    expect(JSON.stringify([at('hush-1')?.from, at('hush-1')?.identity])).not.toMatch(/hush|ada/)
    expect(at('hush-1')?.identity).toBe(at('hush-2')?.identity)
    const api = of(http('https://api.example.com/orders?key=hush-3', { rows: 'data' }))
    expect(api?.from).toBe('https://api.example.com/orders')
    expect(api?.identity).not.toMatch(/hush/)
  })
})
