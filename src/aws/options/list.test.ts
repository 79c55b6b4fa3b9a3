import { expect, it } from 'vitest'
import { takeMistakes } from '../../define/problems/mistakes.js'
import { aws } from './aws.js'

const mistakesOf = (region: string, more: object = {}) => {
  takeMistakes()
  aws({ region, ...more })
  return takeMistakes()
}

const connection = {
  url: 'jdbc:postgresql://host:5432/shop',
  secret: 'shop/db',
  subnet: 'subnet-0123456789abcdef0',
  zone: 'eu-central-1a',
  securityGroups: ['sg-0123456789abcdef0'],
}

it('refuses a region that can be none, and says which was meant', () => {
  expect(mistakesOf('eu-centrl-1')).toMatchObject([{ hint: "Did you mean 'eu-central-1'?" }])
  expect(mistakesOf('us-est-1')).toMatchObject([{ hint: "Did you mean 'us-east-1'?" }])
  for (const region of ['eu-central-1', 'us-gov-west-1', 'ap-southeast-7', 'us-iso-east-1'])
    expect(mistakesOf(region)).toEqual([])
})

it.each<[string, object, string, string]>([
  [
    'an option of a team',
    { teams: { analysts: { raed: ['gold'] } } },
    "aws({ … }): teams: analysts has no option 'raed'",
    "Did you mean 'read'?",
  ],
  [
    'a layer that a team reads',
    { teams: { analysts: { read: ['gold', 'sliver.orders'] } } },
    "a list whose item 2 is the string 'sliver.orders'",
    "Did you mean 'silver.orders'?",
  ],
  [
    'a table without its layer',
    { teams: { analysts: { read: ['orders'] } } },
    "item 1 is the string 'orders'",
    "A table stands behind its layer: 'silver.orders'",
  ],
  [
    'an option of a connection',
    { connections: { shop: { ...connection, subnt: 'subnet-0123456789abcdef0' } } },
    "aws({ … }): connections: shop has no option 'subnt'",
    "Did you mean 'subnet'?",
  ],
  [
    'an option of a job',
    { jobs: { 'bronze.orders': { memmory: '4096MiB' } } },
    "aws({ … }): jobs: bronze.orders has no option 'memmory'",
    "Did you mean 'memory'?",
  ],
])('says what was meant by a misspelt name: %s', (_, options, message, hint) => {
  expect(mistakesOf('eu-central-1', options)).toEqual([
    expect.objectContaining({
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    }),
  ])
})

it('takes teams, connections and jobs as they are meant', () => {
  const teams = { analysts: { read: ['gold'], cutoff: '10MB' } }
  const jobs = { 'bronze.orders': { memory: '4096MiB' } }
  const options = { teams, jobs, connections: { shop: connection } }
  expect(mistakesOf('eu-central-1', options)).toEqual([])
})

it('does not show the address of a connection, which may have a password in it', () => {
  const url = 'jdbc:postgresql://host/shop?password=hunter2'
  const [mistake] = mistakesOf('eu-central-1', { connections: { shop: { ...connection, url } } })
  expect(JSON.stringify(mistake)).toContain('url must be an address')
  expect(JSON.stringify(mistake)).not.toContain('hunter2')
})
