import * as dimensions from '../tables/dimensions.js'
import * as returns from '../tables/returns.js'
import * as sales from '../tables/sales.js'
import type { Table } from '../tables/table.js'
import { calendar, clock } from './calendar.js'

/** SQL for the rows of every table: `i` counts them from 0, columns are values or NULL. */
export interface Generated {
  table: Table<any>
  sql: string
}

/** Random numbers of 60 bits that are the same on every machine, by row and purpose. */
const random = (row: string, purpose: string) => `(hash(${row}, '${purpose}') // 16)::BIGINT`
const upTo = (row: string, purpose: string, n: number) => `${random(row, purpose)} % ${n}`
const pick = (row: string, purpose: string, words: readonly string[]) =>
  `[${words.map((word) => `'${word}'`).join(', ')}][1 + ${upTo(row, purpose, words.length)}]`
const sometimes = (row: string, purpose: string, percent: number, value: string) =>
  `CASE WHEN ${upTo(row, `no ${purpose}`, 100)} >= ${percent} THEN ${value} END`

/**
 * How many rows the tables have: facts grow with the scale, dimensions more slowly, some not at
 * all.
 */
export function sizes(scale: number): Record<string, number> {
  const grows = (rows: number, power: number, least: number) =>
    Math.max(least, Math.round(rows * scale ** power))
  return {
    call_center: grows(6, 0.4, 2),
    catalog_page: grows(11_718, 0.2, 1000),
    customer: grows(100_000, 0.85, 1000),
    customer_address: grows(50_000, 0.85, 500),
    customer_demographics: scale < 1 ? 19_208 : 1_920_800,
    household_demographics: 7200,
    income_band: 20,
    item: grows(18_000, 0.5, 500),
    promotion: grows(300, 0.4, 30),
    reason: 35,
    ship_mode: 20,
    store: grows(12, 0.6, 3),
    warehouse: grows(5, 0.3, 2),
    web_page: grows(60, 0.5, 10),
    web_site: grows(30, 0.3, 4),
    store_sales: grows(2_880_000, 1, 1200),
    catalog_sales: grows(1_440_000, 1, 900),
    web_sales: grows(720_000, 1, 600),
    inventory: grows(11_700_000, 0.9, 5000),
  }
}

const first = [
  'James',
  'Mary',
  'Ada',
  'Linus',
  'Grace',
  'Alan',
  'Edsger',
  'Barbara',
  'Ken',
  'Radia',
  'Tim',
  'Frances',
]
const last = [
  'Smith',
  'Lovelace',
  'Hopper',
  'Turing',
  'Liskov',
  'Dijkstra',
  'Perlman',
  'Allen',
  'Ritchie',
  'Lee',
  'Garcia',
]
const states = ['CA', 'TX', 'NY', 'WA', 'TN', 'GA', 'OH', 'IL', 'MI', 'VA', 'AZ', 'NM']
const cities = [
  'Fairview',
  'Midway',
  'Oak Grove',
  'Five Points',
  'Centerville',
  'Pleasant Hill',
  'Riverside',
  'Salem',
]
const categories = [
  'Books',
  'Children',
  'Electronics',
  'Home',
  'Jewelry',
  'Men',
  'Music',
  'Shoes',
  'Sports',
  'Women',
]
const countries = [
  'CHILE',
  'TOGO',
  'FRANCE',
  'UNITED STATES',
  'JAPAN',
  'NEW ZEALAND',
  'POLAND',
  'KENYA',
]
const words = ['able', 'bar', 'cally', 'ought', 'ese', 'anti', 'pri', 'station', 'eing', 'ation']

/**
 * What a column of a dimension holds, by its name; every name has its meaning in the specification.
 */
const meanings: [RegExp, (column: string, percent: number) => string][] = [
  [/^c_first_name$/, (c) => sometimes('i', c, 3, pick('i', c, first))],
  [/^c_last_name$/, (c) => sometimes('i', c, 3, pick('i', c, last))],
  [
    /^c_email_address$/,
    (c) =>
      sometimes(
        'i',
        c,
        3,
        `concat(${pick('i', 'c_first_name', first)}, '.', ${pick('i', 'c_last_name', last)}, i, '@Example.ORG')`,
      ),
  ],
  [/_birth_country$/, (c) => sometimes('i', c, 3, pick('i', c, countries))],
  [/_country$/, (c) => sometimes('i', c, 3, `'United States'`)],
  [/_state$/, (c) => sometimes('i', c, 3, pick('i', c, states))],
  [/_city$/, (c) => sometimes('i', c, 3, pick('i', c, cities))],
  [/_county$/, (c) => sometimes('i', c, 3, `concat(${pick('i', c, words)}, ' County')`)],
  [/_zip$/, (c) => sometimes('i', c, 3, `lpad((${upTo('i', c, 99_999)})::VARCHAR, 5, '0')`)],
  [/^i_category$/, (c) => sometimes('i', c, 1, pick('i', c, categories))],
  [
    /^i_brand$/,
    (c) =>
      sometimes(
        'i',
        c,
        1,
        `concat(${pick('i', c, words)}, ${pick('i', 'brand', words)}, ' #', 1 + ${upTo('i', 'number', 16)})`,
      ),
  ],
  [
    /(flag|active|_dmail|_email|_catalog|_tv|_radio|_press|_event|_demo)$/,
    (c) => sometimes('i', c, 3, pick('i', c, ['Y', 'N'])),
  ],
  [
    /_(desc|name|manager|hours|class|purpose|details|type|potential|status|rating|education)/,
    (c) =>
      sometimes(
        'i',
        c,
        3,
        `concat_ws(' ', ${pick('i', `${c}1`, words)}, ${pick('i', `${c}2`, words)})`,
      ),
  ],
  [/_id$/, (c) => `concat('AAAAAAAA', lpad(to_hex(i), 8, '0'), '${c.slice(0, 1).toUpperCase()}')`],
]

function dimension(table: Table<any>, size: Readonly<Record<string, number>>): Generated {
  const rows = size[table.name] as number
  const columns = Object.entries(table.columns).map(([column, schema]) => {
    const target = table.references?.[column]
    if (table.key.includes(column)) return `i + 1 AS ${column}`
    if (target) return `${sometimes('i', column, 3, keyOf(target, column, size))} AS ${column}`
    return `${plain(column, schema)} AS ${column}`
  })
  return { table, sql: `SELECT i, ${columns.join(', ')} FROM range(${rows}) AS r(i)` }
}

/** A key that the table it points to has. */
function keyOf(target: string, purpose: string, size: Readonly<Record<string, number>>): string {
  if (target === 'date_dim') return `2450816 + ${upTo('i', purpose, 1800)}`
  if (target === 'time_dim') return upTo('i', purpose, 86_400)
  return `1 + ${upTo('i', purpose, size[target] as number)}`
}

/** The engine's type of a column, by what its schema says of it. */
export function typeOf(schema: any): string {
  const inner = schema._zod.def.innerType
  if (inner) return typeOf(inner)
  const type = schema.columnType
  if (type?.kind === 'decimal') return `DECIMAL(${type.precision},${type.scale})`
  return type
    ? ({ bigint: 'BIGINT', int: 'INTEGER', date: 'DATE' }[type.kind as string] ?? 'VARCHAR')
    : schema._zod.def.type === 'number'
      ? 'INTEGER'
      : schema._zod.def.type === 'bigint'
        ? 'BIGINT'
        : 'VARCHAR'
}

function plain(column: string, schema: unknown): string {
  const type = typeOf(schema)
  const found = meanings.find(([name]) => name.test(column))
  if (type === 'VARCHAR')
    return found ? found[1](column, 3) : sometimes('i', column, 3, pick('i', column, words))
  if (type === 'DATE')
    return sometimes('i', column, 10, `DATE '1997-01-01' + (${upTo('i', column, 2000)})::INTEGER`)
  if (type.startsWith('DECIMAL'))
    return sometimes('i', column, 3, `CAST((${upTo('i', column, 9900)} + 99) / 100 AS ${type})`)
  return sometimes('i', column, 3, `1 + ${upTo('i', column, 28)}`)
}

/**
 * A line of an order: its day, customer and address are the order's, its item is in no other line.
 */
function salesOf(
  table: Table<any>,
  lines: number,
  size: Readonly<Record<string, number>>,
): Generated {
  const p = table.name === 'store_sales' ? 'ss' : table.name === 'catalog_sales' ? 'cs' : 'ws'
  const items = size.item as number
  const order = `(i // ${lines})`
  const price = `least(199.99, 1 + ${upTo('i', 'price', 19_000)} / 100)`
  const known: Record<string, string> = {
    [`${p}_item_sk`]: `1 + (${upTo(order, 'item', items)} + 7 * (i % ${lines})) % ${items}`,
    [`${p}_quantity`]: sometimes('i', 'quantity', 2, 'q'),
    [`${p}_wholesale_cost`]: 'round(price * 0.6, 2)',
    [`${p}_list_price`]: 'round(price * 1.3, 2)',
    [`${p}_sales_price`]: 'price',
    [`${p}_ext_discount_amt`]: 'discount',
    [`${p}_ext_sales_price`]: 'q * price',
    [`${p}_ext_wholesale_cost`]: 'q * round(price * 0.6, 2)',
    [`${p}_ext_list_price`]: 'q * round(price * 1.3, 2)',
    [`${p}_ext_tax`]: 'tax',
    [`${p}_coupon_amt`]: 'discount',
    [`${p}_ext_ship_cost`]: 'ship',
    [`${p}_net_paid`]: sometimes('i', 'paid', 2, 'q * price - discount'),
    [`${p}_net_paid_inc_tax`]: 'q * price - discount + tax',
    [`${p}_net_paid_inc_ship`]: 'q * price - discount + ship',
    [`${p}_net_paid_inc_ship_tax`]: 'q * price - discount + ship + tax',
    [`${p}_net_profit`]: 'q * price - discount - q * round(price * 0.6, 2)',
    [p === 'ss' ? 'ss_ticket_number' : `${p}_order_number`]: `1 + ${order}`,
  }
  const columns = Object.entries(table.columns).map(([column, schema]) => {
    const target = table.references?.[column]
    const own = known[column]
    const value =
      own ??
      (target
        ? sometimes(order, column, 3, ofOrder(target, order, column, size))
        : plain(column, schema))
    return `CAST(${value} AS ${typeOf(schema)}) AS ${column}`
  })
  const base = `(SELECT *, CASE WHEN ${upTo('i', 'coupon', 10)} = 0 THEN round(q * price * 0.2, 2) ELSE 0 END AS discount,
    round(q * price * 0.06, 2) AS tax, round(q * price * 0.1, 2) AS ship
    FROM (SELECT i, 1 + ${upTo('i', 'quantity', 100)} AS q, CAST(${price} AS DECIMAL(7,2)) AS price FROM range(${size[table.name]}) AS r(i)))`
  return { table, sql: `SELECT i, ${columns.join(', ')} FROM ${base}` }
}

function ofOrder(
  target: string,
  order: string,
  purpose: string,
  size: Readonly<Record<string, number>>,
): string {
  if (target === 'date_dim') {
    const wait = purpose.includes('ship') ? ` + 2 + ${upTo(order, 'wait', 90)}` : ''
    return `2450816 + ${upTo(order, 'day', 1823)}${wait}`
  }
  if (target === 'time_dim') return upTo(order, purpose, 86_400)
  return `1 + ${upTo(order, purpose, size[target] as number)}`
}

/** One sale in ten comes back within three months. */
function returnsOf(
  table: Table<any>,
  from: Generated,
  size: Readonly<Record<string, number>>,
): Generated {
  const p = table.name === 'store_returns' ? 'sr' : table.name === 'catalog_returns' ? 'cr' : 'wr'
  const s = p === 'sr' ? 'ss' : p === 'cr' ? 'cs' : 'ws'
  const number = p === 'sr' ? 'ticket_number' : 'order_number'
  const sold = `${s}_sold_date_sk`
  const columns = Object.entries(table.columns).map(([column, schema]) => {
    const target = table.references?.[column]
    const type = typeOf(schema)
    let value = plain(column, schema)
    if (column === `${p}_item_sk`) value = `${s}_item_sk`
    else if (column === `${p}_${number}`) value = `${s}_${number}`
    else if (column.endsWith('returned_date_sk'))
      value = `coalesce(${sold}, 2450816) + 1 + ${upTo('i', 'back', 90)}`
    else if (target) value = sometimes('i', column, 3, keyOf(target, column, size))
    else if (column.endsWith('_quantity'))
      value = `1 + ${random('i', 'part')} % coalesce(${s}_quantity, 1)`
    else if (type.startsWith('DECIMAL'))
      value = `round(coalesce(${s}_sales_price, 1) * (1 + ${upTo('i', column, 9)}), 2)`
    return `CAST(${value} AS ${type}) AS ${column}`
  })
  return {
    table,
    sql: `SELECT i, ${columns.join(', ')} FROM (${from.sql}) WHERE ${upTo('i', 'returned', 10)} = 0`,
  }
}

/** What lies in each warehouse, week by week. */
function stock(table: Table<any>, size: Readonly<Record<string, number>>): Generated {
  const [items, warehouses] = [size.item as number, size.warehouse as number]
  return {
    table,
    sql: `SELECT i, 2450815 + 7 * (i // ${items * warehouses}) AS inv_date_sk, 1 + i % ${items} AS inv_item_sk,
      1 + (i // ${items}) % ${warehouses} AS inv_warehouse_sk,
      CAST(${sometimes('i', 'count', 5, upTo('i', 'count', 1000))} AS ${typeOf(table.columns.inv_quantity_on_hand)}) AS inv_quantity_on_hand
      FROM range(${size.inventory}) AS r(i)`,
  }
}

/** All 24 tables at a scale: 1 is a gigabyte or so. */
export function allTables(scale: number): Generated[] {
  const size = sizes(scale)
  const { dateDim, timeDim, ...others } = dimensions
  const store = salesOf(sales.storeSales, 12, size)
  const catalog = salesOf(sales.catalogSales, 9, size)
  const web = salesOf(sales.webSales, 12, size)
  return [
    { table: dateDim, sql: calendar },
    { table: timeDim, sql: clock },
    ...Object.values(others).map((table) => dimension(table as Table<any>, size)),
    store,
    catalog,
    web,
    stock(sales.inventory, size),
    returnsOf(returns.storeReturns, store, size),
    returnsOf(returns.catalogReturns, catalog, size),
    returnsOf(returns.webReturns, web, size),
  ]
}
