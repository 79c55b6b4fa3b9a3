import { expect, it } from 'vitest'
import { faultsOf } from '../../../test/support/cloudformation.js'
import { bronze, defineLake, gold, silver, sql, t, z } from '../../index.js'
import { inbox } from '../../source/index.js'
import { aws, template } from '../index.js'

/** A lake like the orders example, in few words. */
function orders(options: Partial<Parameters<typeof aws>[0]> = {}) {
  const raw = bronze('orders', { from: inbox({ format: 'jsonl' }), archive: true })
  const valid = silver('orders', {
    from: raw,
    schema: z.object({ id: t.bigint(), amount: t.decimal(12, 2) }),
    key: 'id',
  })
  const total = gold('total', { query: sql`select sum(amount) as total from ${valid}` })
  const deploy = aws({ region: 'eu-central-1', ...options })
  return { lake: defineLake({ name: 'orders', deploy, datasets: [total] }), deploy }
}

const resourcesOf = ({ lake, deploy }: ReturnType<typeof orders>) =>
  Object.assign({}, ...template(lake, deploy).stacks.map((one) => one.template.Resources))

it('makes what holds data and the code first, and then what runs it', () => {
  const { lake, deploy } = orders()
  const made = template(lake, deploy)
  expect(faultsOf(made)).toEqual([])
  expect(made.stacks.map(({ name, phase, parameters }) => [name, phase, parameters])).toEqual([
    ['orders-base', 'base', []],
    ['orders', 'rest', ['CodeKey']],
  ])
})

it('keeps all that holds data when a stack goes, and the key with it', () => {
  const resources = resourcesOf(orders())
  for (const id of ['Key', 'LakeBucket', 'LogBucket', 'LakeBucketPolicy'])
    expect(resources[id]).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' })
})

it('never has values of secrets in a template', () => {
  const secrets = { SHOP_URL: 'shop/database#url' }
  const resources = resourcesOf(orders({ secrets }))
  expect(resources.BronzeOrdersFunction.Properties.Environment.Variables).toMatchObject({
    MORAINE_SECRETS: '{"SHOP_URL":"shop/database#url"}',
  })
  expect(JSON.stringify(resources)).toContain(':secret:shop/database-??????')
})
