import { expect, it } from 'vitest'
import { aws } from '../options/aws.js'
import { databaseNames, isDatabaseName, namesOf } from './names.js'

it('names a database a layer, as Athena writes names without quotes', () => {
  expect(databaseNames({ name: 'web-shop' }).silver).toBe('web_shop_silver')
  expect(Object.values(databaseNames({ name: 'a' })).every(isDatabaseName)).toBe(true)
  const own = databaseNames({ name: 'shop' }, { prefix: 'dev_', databases: { gold: 'reports' } })
  expect([own.gold, own.bronze]).toEqual(['reports', 'dev_bronze'])
  expect(isDatabaseName('Shop-Silver')).toBe(false)
  const deployed = namesOf(aws({ region: 'eu-central-1', databases: 'shop_test' }))
  expect(databaseNames({ name: 'shop' }, deployed).silver).toBe('shop_test_silver')
  expect(namesOf(aws({ region: 'eu-central-1' }))).toEqual({})
  expect(namesOf(undefined)).toEqual({})
})
