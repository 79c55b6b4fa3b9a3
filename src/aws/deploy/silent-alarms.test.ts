import { expect, it } from 'vitest'
import { bronze, defineLake } from '../../index.js'
import { inbox } from '../../source/index.js'
import { aws, template } from '../index.js'
import { removable } from './destroy.js'
import { silentAlarms } from './silent-alarms.js'
import { absent, type Before } from './survey.js'

type Options = Partial<Parameters<typeof aws>[0]>

/** Stacks of a lake, as a survey finds them. */
function deployed(options: Options = {}) {
  const deploy = aws({ region: 'eu-central-1', ...options })
  const datasets = [bronze('orders', { from: inbox({ format: 'jsonl' }) })]
  const { stacks } = template(defineLake({ name: 'shop', deploy, datasets }), deploy)
  const before = stacks.map(
    (one): Before => ({
      ...absent(one.name),
      status: 'CREATE_COMPLETE',
      template: one.template as Before['template'],
    }),
  )
  return { deploy, before }
}

it('says once that alarms reach no one, and of each new address that it has to be confirmed', () => {
  const silent = deployed()
  expect(silentAlarms(silent.deploy, 'shop', [])).toEqual([
    expect.stringContaining('subscribe to the topic shop-alarms'),
  ])
  expect(silentAlarms(silent.deploy, 'shop', silent.before)).toEqual([])
  const heard = deployed({ alarmEmail: 'data@example.com' })
  const told = [expect.stringContaining('AWS sends a letter to data@example.com')]
  expect(silentAlarms(heard.deploy, 'shop', [])).toEqual(told)
  expect(silentAlarms(heard.deploy, 'shop', silent.before)).toEqual(told)
  expect(silentAlarms(heard.deploy, 'shop', heard.before)).toEqual([])
})

it('removes all that runs of a lake with a warehouse, and keeps what that holds', () => {
  const subnets = ['0', '1', '2'].map((n) => `subnet-0123456789abcdef${n}`)
  const redshift = { subnets, securityGroups: ['sg-0123456789abcdef0'] }
  const { before } = deployed({ redshift })
  expect(before.map(({ name }) => name)).toEqual(['shop-base', 'shop'])
  expect(removable(before)).toEqual(['shop'])
  const [base, rest] = before.map(({ template: found }) => Object.keys(found?.Resources ?? {}))
  expect(base).toContain('Warehouse')
  // What computes is paid for, and goes.
  expect(rest).toContain('WarehouseGroup')
})
