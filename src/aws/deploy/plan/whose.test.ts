import { expect, it } from 'vitest'
import { bronze, defineLake } from '../../../index.js'
import { inbox } from '../../../source/index.js'
import { aws, template } from '../../index.js'
import type { LakeDeployment } from '../lake-deployment.js'
import { stacksFor } from '../plan-for.js'
import { EMPTIED, isOfAnother } from './whose.js'

/** A lake's stacks, as its first deployment makes them. */
function lakeOf(name: string) {
  const deploy = aws({ region: 'eu-central-1' })
  const lake = defineLake({ name, deploy, datasets: [bronze('orders', { from: inbox() })] })
  return { lake, deploy, stacks: template(lake, deploy).stacks }
}

it('knows stacks of a lake from those of lakes whose names begin alike', () => {
  const names = ['shop', 'shop-2', 'shop-base']
  for (const name of names)
    for (const { lake, stacks } of names.map(lakeOf))
      for (const stack of stacks)
        expect(isOfAnother(stack.template, stack.name, name), `${stack.name} for ${name}`).toBe(
          lake.name !== name,
        )
})

it('knows a stack of its own that no job needs any more from one that is no lake’s', () => {
  const topic = { Resources: { Topic: { Type: 'AWS::SNS::Topic' } } }
  for (const name of ['shop', 'shop-2']) expect(isOfAnother(topic, name, 'shop')).toBe(true)
  expect(isOfAnother(EMPTIED, 'shop-2', 'shop')).toBe(false)
})

it('refuses a stack that another lake has, and says what to do', () => {
  const { lake, deploy } = lakeOf('shop')
  const of = { lake, deploy, before: [], known: {}, account: undefined, prefix: 'shop' }
  const stacks = (taken: string[]) => stacksFor({ ...of, taken } as unknown as LakeDeployment)
  expect(stacks(['shop-2']).map(({ name }) => name)).toEqual(['shop-base', 'shop'])
  expect(() => stacks(['shop'])).toThrow("Stack shop is there already, and is not this lake's")
})
