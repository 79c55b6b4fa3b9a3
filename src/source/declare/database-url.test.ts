import { expect, it } from 'vitest'
import { takeMistakes } from '../../define/problems/mistakes.js'
import { checkedConnection } from '../database/failures.js'
import { mysql, postgres, sqlserver } from '../index.js'

const mistakesOf = (call: () => unknown) => {
  takeMistakes()
  call()
  return takeMistakes().map(({ message }) => message)
}

it('refuses an address that is none of its database, and shows nothing of it', () => {
  const wrong: [() => unknown, string][] = [
    [
      () => postgres({ url: 'postgres//wh:hunter2@127.0.0.1/wh' }),
      'postgres(…): the URL of the PostgreSQL database does not begin with postgres://',
    ],
    [
      () => postgres('mysql://wh:hunter2@h/wh'),
      'postgres(…): mysql://… is not a URL of PostgreSQL',
    ],
    [() => mysql('postgres://h/wh'), 'mysql(…): postgres://… is not a URL of MySQL'],
    [
      () => sqlserver('postgres://wh:hunter2@h/wh'),
      'sqlserver(…): postgres://… is not a URL of SQL Server',
    ],
  ]
  for (const [call, message] of wrong) expect(mistakesOf(call)).toEqual([message])
})

it('takes all addresses that the clients take', () => {
  const good = () => {
    for (const url of ['postgres://h', 'postgresql://u:p@h:1/d', '/var/run/postgresql shop', ''])
      postgres({ url })
    for (const url of ['mysql://h', 'mariadb://u:p@h:1/d']) mysql({ url })
    for (const url of [
      'sqlserver://u:p@h/d',
      'mssql://u:p@h/d',
      'Server=tcp:h,1433;Database=d;User Id=u;Password=p',
      'Data Source=h;Initial Catalog=d',
    ])
      sqlserver({ url })
    postgres({ host: 'h' })
    postgres(undefined as never)
  }
  expect(mistakesOf(good)).toEqual([])
})

it('says the same of an address that is only known when it connects', () => {
  expect(() => checkedConnection('PostgreSQL', { url: 'mysql://u:hunter2@h/d' })).toThrow(
    expect.objectContaining({ kind: 'source', message: 'mysql://… is not a URL of PostgreSQL' }),
  )
})
