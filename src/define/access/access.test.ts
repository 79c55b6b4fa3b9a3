import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { DefinitionError } from '../../errors.js'
import { lakeDefinition } from '../../plan/fingerprint.js'
import { files } from '../../source/index.js'
import { bronze, gold, silver } from '../dataset.js'
import { defineLake } from '../lake.js'
import { sql } from '../sql/sql.js'
import { t } from '../types/t.js'
import { type Principal, principal } from './principal.js'

const raw = bronze('orders', { from: files('x.csv', { columns: ['id'] }) })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }) })
const daily = gold('daily', { query: sql`select count(*) as n from ${orders}` })
const datasets = [daily]
const lake = (...access: Principal[]) => defineLake({ name: 'shop', datasets, access })

function problems(...made: (() => Principal)[]) {
  try {
    lake(...made.map((make) => make()))
    return []
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error
    return error.problems.map(({ message, hint }) => (hint ? `${message} → ${hint}` : message))
  }
}

describe('access', () => {
  it('takes datasets, tables, namespaces and all of them', () => {
    const { access = [] } = lake(
      principal('a', { token: 'one', read: [daily, 'discarded.orders', '*'], write: ['ml.*'] }),
      principal('ci@example.org', { clientSecret: () => 'two', read: ['bronze.orders'] }),
    )
    expect(access.map(({ name, read, write }) => [name, read.length, write.length])).toEqual([
      ['a', 3, 1],
      ['ci@example.org', 1, 0],
    ])
    expect(access[0]?.read[0]).toEqual({
      levels: ['gold', 'daily'],
      below: false,
      text: 'gold.daily',
    })
    expect(defineLake({ name: 'shop', datasets }).access).toBeUndefined()
  })

  it('knows principals by tokens of a provider, each of one and of one that the lake has', () => {
    const oidc = { issuer: 'https://login.example.com', audience: 'lake', claim: 'email' }
    const ada = principal('ada', { oidc: 'ada@example.com', read: ['*'] })
    expect(defineLake({ name: 'shop', datasets, access: [ada], oidc }).oidc).toEqual(oidc)
    const wrong = (make: () => unknown) => {
      try {
        make()
        return []
      } catch (error) {
        return (error as DefinitionError).problems.map(({ message }) => message)
      }
    }
    expect(wrong(() => lake(ada))).toEqual([
      "principal 'ada': oidc 'ada@example.com' is of no provider: the lake has none",
    ])
    const eve = principal('eve', { oidc: 'ada@example.com', read: ['*'] })
    const both = { name: 'shop', datasets, access: [ada, eve], oidc }
    expect(wrong(() => defineLake(both))[0]).toContain("is that of 'ada' as well")
    const issuer = 'http://login.example.com'
    const open = { name: 'shop', datasets, oidc: { ...oidc, issuer } }
    expect(wrong(() => defineLake(open))[0]).toContain('issuer')
  })

  it('is no part of what tables are made by', () => {
    const hash = (text: string) => text
    const one = lake(principal('a', { token: 'very secret', read: ['*'] }))
    const other = defineLake({ name: 'shop', datasets })
    expect(lakeDefinition(one.datasets, hash)).toBe(lakeDefinition(other.datasets, hash))
    expect(lakeDefinition(one.datasets, hash)).not.toContain('very secret')
  })

  it.each<[string, (() => Principal)[], RegExp[]]>([
    [
      'a table that is misspelt',
      [() => principal('a', { token: 'x', read: ['gold.dayly', 'silver.nothing_like_it'] })],
      [
        /^principal 'a': 'gold.dayly' is not a table of the lake → Did you mean 'gold.daily'\?$/,
        /'silver.nothing_like_it' is not a table of the lake → Tables in silver: silver.orders$/,
      ],
    ],
    [
      'a tier that is misspelt',
      [() => principal('a', { token: 'x', read: ['sliver.*', 'Gold.daily'] })],
      [/'sliver.\*' is not a namespace .* Did you mean 'silver'/, /Did you mean 'gold'/],
    ],
    [
      'a grant that nothing matches',
      [() => principal('a', { token: 'x', read: ['history.*', 'gold.daily.*'] })],
      [/'history.\*' matches nothing: the lake has no tables in history/, /no nested namespaces/],
    ],
    [
      'a namespace without what is meant in it',
      [() => principal('a', { token: 'x', read: ['ml' as 'ml.x'] })],
      [/'ml' is neither a table nor a namespace → For the namespace .*: 'ml\.\*'$/],
    ],
    [
      'a pattern that there is not',
      [() => principal('a', { token: 'x', read: ['*.orders'] })],
      [/'\*\.orders' is neither a table nor a namespace → Write 'gold\.daily_revenue' for a table/],
    ],
    [
      'two of one name',
      [
        () => principal('a', { token: 'x', read: ['*'] }),
        () => principal('A', { token: 'y', read: ['*'] }),
      ],
      [/^Two principals are named 'A' → The first is on line \d+/],
    ],
    [
      'two with one secret',
      [
        () => principal('a', { token: 'hunter2', read: ['*'] }),
        () => principal('b', { clientSecret: 'hunter2', read: ['*'] }),
      ],
      [/^The principals 'a' and 'b' have the same secret/],
    ],
    [
      'an empty token',
      [() => principal('a', { token: ' ', read: ['*'] })],
      [/^principal 'a': token is empty → Write token: secret/],
    ],
    [
      'nothing that proves it, and nothing that it may do',
      [() => principal('a', {})],
      [/neither a token nor a clientSecret/, /^principal 'a' may do nothing → Grant something/],
    ],
    [
      'a name that is kept or would break a header',
      [
        () => principal('token', { token: 'x', read: ['*'] }),
        () => principal('a:b', { token: 'y', read: ['*'] }),
      ],
      [/'token': the name is reserved/, /name must be a name of 1 to 64 letters/],
    ],
    [
      'options of other kinds',
      [
        () =>
          principal('a', { tokn: 'x', token: 1, read: 'gold.*' } as unknown as {
            read: ['gold.*']
          }),
      ],
      [
        /no option 'tokn'.*Did you mean 'token'/,
        /token must be/,
        /read must be .*Wrap it in a list/,
      ],
    ],
  ])('refuses %s', (_, made, expected) => {
    const found = problems(...made)
    for (const one of expected) expect(found.join('\n')).toMatch(new RegExp(one.source, 'm'))
    expect(found.join('\n')).not.toContain('hunter2')
  })
})
