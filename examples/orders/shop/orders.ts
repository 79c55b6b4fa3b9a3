/** A version of an order, as the shop's database has it. */
export interface Order {
  order_id: number
  order_last_updated: string
  customer_id: number
  order_status: string
  amount: string
}

/** Where orders go from each status. */
const next: Readonly<Record<string, readonly string[]>> = {
  PENDING_PAYMENT: ['PENDING', 'PENDING', 'CANCELED'],
  PENDING: ['PROCESSING', 'PROCESSING', 'PAYMENT_REVIEW', 'ON_HOLD'],
  PAYMENT_REVIEW: ['PROCESSING', 'SUSPECTED_FRAUD'],
  ON_HOLD: ['PROCESSING', 'CANCELED'],
  SUSPECTED_FRAUD: ['CANCELED', 'PROCESSING'],
  PROCESSING: ['COMPLETE'],
  COMPLETE: ['CLOSED'],
}

/**
 * A shop whose orders come and change, some of them in ways that no order should. The same seed
 * gives the same changes.
 */
export class Shop {
  private readonly orders: Order[] = []
  private state: number
  /** Microseconds since 1970. */
  private last = 0

  constructor(
    seed: number,
    /** Numbers of orders begin here: two shops do not meet. */
    private readonly first = 1,
  ) {
    this.state = seed >>> 0
  }

  /** A number from 0 up to a bound (mulberry32, by Tommy Ettinger, public domain). */
  random(bound: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % bound
  }

  /** What happens now: new orders, and new versions of those that are there. */
  pass(changes: number): Order[] {
    const made = new Map<number, Order>()
    for (let i = 0; i < changes; i++) {
      const order = this.random(3) === 0 || this.orders.length === 0 ? this.place() : this.change()
      made.set(order.order_id, order)
    }
    return [...made.values()]
  }

  /** An order as it is, changed now. */
  again(id: number): Order {
    const at = id - this.first
    const order = { ...(this.orders[at] as Order), order_last_updated: this.time() }
    this.orders[at] = order
    return order
  }

  private place(): Order {
    const order: Order = {
      order_id: this.first + this.orders.length,
      order_last_updated: this.time(),
      customer_id: 1 + this.random(200),
      order_status: this.random(4) === 0 ? 'PENDING_PAYMENT' : 'PENDING',
      amount: (this.random(50_000) / 100).toFixed(2),
    }
    this.orders.push(this.soiled(order))
    return this.orders.at(-1) as Order
  }

  private change(): Order {
    const at = this.random(this.orders.length)
    const before = this.orders[at] as Order
    const choices = next[before.order_status] ?? ['PENDING']
    const after = this.soiled({
      ...before,
      amount: /^\d/.test(before.amount) ? before.amount : '10.00',
      order_status: choices[this.random(choices.length)] as string,
      order_last_updated: this.time(),
    })
    this.orders[at] = after
    return after
  }

  /** One in twelve is wrong in some way. */
  private soiled(order: Order): Order {
    switch (this.random(24)) {
      case 0:
        return { ...order, order_status: 'LOST' }
      case 1:
        return { ...order, amount: `-${order.amount.replace('-', '')}1` }
      default:
        return order
    }
  }

  /** All moments are different, so that of two versions one is newer. */
  private time(): string {
    this.last = Math.max(this.last + 1, Date.now() * 1000)
    const text = new Date(Math.floor(this.last / 1000)).toISOString().replace('T', ' ')
    return text.replace('Z', String(this.last % 1000).padStart(3, '0'))
  }
}
