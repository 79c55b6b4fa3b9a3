import known from './prices.json' with { type: 'json' }

/** What is paid for, each in single units: requests, bytes, GB-seconds, keys. */
export type PriceName =
  | 'lambda.seconds'
  | 'lambda.requests'
  | 's3.puts'
  | 's3.gets'
  | 's3.storage'
  | 'sqs.requests'
  | 'events'
  | 'scheduler'
  | 'glue.requests'
  | 'glue.objects'
  | 'glue.dpuHours'
  | 'athena.bytes'
  | 'redshift.rpuHours'
  | 'secrets.held'
  | 'kms.keys'
  | 'kms.requests'
  | 'trail.dataEvents'

export interface Price {
  /** US dollars for `per` units. */
  figure: number
  per: number
  unit: string
  source: string
  /** When the source had it; of one that does not tell, when it was read. */
  date: string
}

const listed: Readonly<Record<PriceName, Omit<Price, 'per'> & { per?: number }>> = known.prices

/** Prices of us-east-1. */
export const prices = Object.fromEntries(
  Object.entries(listed).map(([name, price]) => [name, { per: 1, ...price }]),
) as Readonly<Record<PriceName, Price>>

/** Amounts of what is paid for. */
export type Usage = { readonly [N in PriceName]?: number }

export interface CostLine {
  name: PriceName
  amount: number
  usd: number
  price: Price
}

export interface Cost {
  /** US dollars; free tiers and discounts are not taken off. */
  usd: number
  lines: readonly CostLine[]
}

/** What amounts cost, the dearest first. */
export function costOf(usage: Usage): Cost {
  const lines = (Object.entries(usage) as [PriceName, number][])
    .filter(([, amount]) => amount > 0)
    .map(([name, amount]) => {
      const price = prices[name]
      return { name, amount, usd: (amount * price.figure) / price.per, price }
    })
    .sort((a, b) => b.usd - a.usd)
  return { usd: lines.reduce((sum, { usd }) => sum + usd, 0), lines }
}

/** Amounts together, some of them so many times. */
export function sumOf(...parts: readonly (readonly [usage: Usage, times: number])[]): Usage {
  const sum: { [N in PriceName]?: number } = {}
  for (const [usage, times] of parts)
    for (const [name, amount] of Object.entries(usage) as [PriceName, number][])
      sum[name] = (sum[name] ?? 0) + amount * times
  return sum
}
