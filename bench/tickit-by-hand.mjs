/*
 * What somebody would write by hand: DuckDB from Node, the same files, the same checks, the same
 * tables as plain Parquet. No lineage, no reasons, no commits.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const { TICKIT_DATA: data, OUT: out } = process.env
for (const layer of ['bronze', 'silver', 'gold']) mkdirSync(join(out, layer), { recursive: true })
const db = await (await DuckDBInstance.create(':memory:')).connect()
const run = (sql) => db.run(sql)

const files = {
  users: [
    'allusers_pipe.txt',
    '|',
    'userid username firstname lastname city state email phone likesports liketheatre likeconcerts likejazz likeclassical likeopera likerock likevegas likebroadway likemusicals',
  ],
  venue: ['venue_pipe.txt', '|', 'venueid venuename venuecity venuestate venueseats'],
  category: ['category_pipe.txt', '|', 'catid catgroup catname catdesc'],
  date: ['date2008_pipe.txt', '|', 'dateid caldate day week month qtr year holiday'],
  event: ['allevents_pipe.txt', '|', 'eventid venueid catid dateid eventname starttime'],
  listing: [
    'listings_pipe.txt',
    '|',
    'listid sellerid eventid dateid numtickets priceperticket totalprice listtime',
  ],
  sales: [
    'sales_tab.txt',
    '\t',
    'salesid listid sellerid buyerid eventid dateid qtysold pricepaid commission saletime',
  ],
}
const likes =
  'likesports liketheatre likeconcerts likejazz likeclassical likeopera likerock likevegas likebroadway likemusicals'.split(
    ' ',
  )
const states =
  'CT ME MA NH RI VT NJ NY PA IL IN MI OH WI IA KS MN MO NE ND SD DE FL GA MD NC SC VA DC WV AL KY MS TN AR LA OK TX AZ CO ID MT NV NM UT WY AK CA HI OR WA AB BC MB NB NL NS NT NU ON PE QC SK YT'
const stateList = `(${states
  .split(' ')
  .map((s) => `'${s}'`)
  .join(', ')})`
const inList = (codes) =>
  `(${codes
    .split(' ')
    .map((s) => `'${s}'`)
    .join(', ')})`

for (const [table, [file, delimiter, columns]] of Object.entries(files)) {
  const types = columns
    .split(' ')
    .map((c) => `'${c}': 'VARCHAR'`)
    .join(', ')
  await run(`COPY (FROM read_csv('${join(data, file)}', columns = {${types}}, delim = '${delimiter}', quote = '', escape = '',
    header = false, auto_detect = false, nullstr = ['', '\\N'], store_rejects = true, rejects_table = 'rej_${table}', rejects_scan = 'scan_${table}'))
    TO '${out}/bronze/${table}.parquet' (FORMAT parquet)`)
}

const int = (c) =>
  `CASE WHEN regexp_full_match(${c}, '[+-]?[0-9]+') THEN try_cast(${c} AS INTEGER) END AS ${c}`
const decimal = (c) =>
  `CASE WHEN regexp_full_match(${c}, '[+-]?[0-9]+([.][0-9]{0,2}0*)?') THEN try_cast(${c} AS DECIMAL(8, 2)) END AS ${c}`
const bool = (c) =>
  `CASE WHEN lower(${c}) IN ('true', 't', '1') THEN true WHEN lower(${c}) IN ('false', 'f', '0') THEN false END AS ${c}`
const iso = (c) =>
  `CASE WHEN regexp_full_match(${c}, '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}') THEN try_cast(${c} AS TIMESTAMP) END AS ${c}`

const silver = {
  users: {
    key: 'userid',
    select: [
      int('userid'),
      'username',
      'trim(firstname) AS firstname',
      'trim(lastname) AS lastname',
      'city',
      'state',
      'email',
      'phone',
      ...likes.map(bool),
      ...likes.map((c) => `${c} AS raw_${c}`),
    ],
    where: `userid IS NOT NULL AND length(username) = 8 AND length(firstname) > 0 AND length(lastname) > 0 AND city IS NOT NULL AND state IN ${stateList}
      AND regexp_matches(email, '^[A-Za-z0-9_''+\\-\\.]*[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$') AND regexp_matches(phone, '^\\(\\d{3}\\) \\d{3}-\\d{4}$')
      AND ${likes.map((c) => `(raw_${c} IS NULL OR ${c} IS NOT NULL)`).join(' AND ')}`,
    exclude: likes.map((c) => `raw_${c}`),
  },
  venue: {
    key: 'venueid',
    select: [
      int('venueid'),
      'trim(venuename) AS venuename',
      'venuecity',
      'venuestate',
      int('venueseats'),
      'venueseats AS raw_seats',
      `CASE WHEN venuestate IN ${inList('CT ME MA NH RI VT NJ NY PA')} THEN 'Northeast' WHEN venuestate IN ${inList('IL IN MI OH WI IA KS MN MO NE ND SD')} THEN 'Midwest'
     WHEN venuestate IN ${inList('DE FL GA MD NC SC VA DC WV AL KY MS TN AR LA OK TX')} THEN 'South' WHEN venuestate IN ${inList('AZ CO ID MT NV NM UT WY AK CA HI OR WA')} THEN 'West' ELSE 'Canada' END AS region`,
    ],
    where: `venueid IS NOT NULL AND length(venuename) > 0 AND venuestate IN ${stateList} AND (raw_seats IS NULL OR venueseats >= 0)`,
    exclude: ['raw_seats'],
  },
  category: {
    key: 'catid',
    select: [int('catid'), 'catgroup', 'catname', 'catdesc'],
    where: "catid IS NOT NULL AND catgroup IN ('Sports', 'Shows', 'Concerts')",
  },
  date: {
    key: 'dateid',
    select: [
      int('dateid'),
      'try_cast(caldate AS DATE) AS caldate',
      'day',
      int('week'),
      'month',
      'qtr',
      int('year'),
      bool('holiday'),
    ],
    where:
      "dateid IS NOT NULL AND caldate IS NOT NULL AND day IN ('SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA') AND week BETWEEN 1 AND 53 AND year IS NOT NULL AND holiday IS NOT NULL",
  },
  event: {
    key: 'eventid',
    select: [
      int('eventid'),
      int('venueid'),
      int('catid'),
      int('dateid'),
      'trim(eventname) AS eventname',
      iso('starttime'),
    ],
    where:
      'eventid IS NOT NULL AND venueid IS NOT NULL AND catid BETWEEN 1 AND 11 AND dateid IS NOT NULL AND length(eventname) > 0 AND starttime IS NOT NULL',
  },
  listing: {
    key: 'listid',
    select: [
      int('listid'),
      int('sellerid'),
      int('eventid'),
      int('dateid'),
      int('numtickets'),
      decimal('priceperticket'),
      decimal('totalprice'),
      iso('listtime'),
    ],
    where:
      'listid IS NOT NULL AND sellerid IS NOT NULL AND eventid IS NOT NULL AND dateid IS NOT NULL AND numtickets >= 1 AND priceperticket > 0 AND totalprice = numtickets * priceperticket AND listtime IS NOT NULL',
  },
  sales: {
    key: 'salesid',
    select: ['salesid', 'listid', 'sellerid', 'buyerid', 'eventid', 'dateid', 'qtysold']
      .map(int)
      .concat([
        decimal('pricepaid'),
        decimal('commission'),
        `CASE WHEN regexp_full_match(saletime, '[0-9]{1,2}/[0-9]{1,2}/[0-9]{4} [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}') THEN try_strptime(saletime, '%m/%d/%Y %H:%M:%S') END AS saletime`,
      ]),
    where:
      'salesid IS NOT NULL AND listid IS NOT NULL AND sellerid <> buyerid AND eventid IS NOT NULL AND dateid IS NOT NULL AND qtysold >= 1 AND pricepaid >= 0 AND commission >= 0 AND saletime IS NOT NULL',
    partition: true,
  },
}
for (const [table, { key, select, where, exclude = [], partition }] of Object.entries(silver)) {
  const star = exclude.length ? `* EXCLUDE (${exclude.join(', ')})` : '*'
  await run(`CREATE TABLE ${table} AS SELECT ${star} FROM (SELECT ${select.join(', ')} FROM '${out}/bronze/${table}.parquet') WHERE ${where}
    QUALIFY row_number() OVER (PARTITION BY ${key}) = 1`)
  if (partition)
    await run(
      `COPY (SELECT *, month(saletime) AS m FROM ${table}) TO '${out}/silver/${table}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (m))`,
    )
  else
    await run(
      `COPY ${table} TO '${out}/silver/${table}.parquet' (FORMAT parquet, COMPRESSION zstd)`,
    )
}

await run(`CREATE TABLE consolidated_sales AS
  SELECT s.salesid, s.saletime, d.caldate, d.year, month(d.caldate) AS month, s.qtysold, s.pricepaid, s.commission,
    s.sellerid, seller.username AS seller, seller.firstname || ' ' || seller.lastname AS seller_name, seller.city AS seller_city,
    s.buyerid, buyer.username AS buyer, buyer.firstname || ' ' || buyer.lastname AS buyer_name, e.eventid, e.eventname, e.starttime,
    c.catgroup, c.catname, v.venuename, v.venuecity, v.venuestate, coalesce(v.region, 'unknown') AS region, l.listid, l.listtime, l.numtickets, l.priceperticket
  FROM sales s JOIN users seller ON seller.userid = s.sellerid JOIN users buyer ON buyer.userid = s.buyerid JOIN event e USING (eventid)
  JOIN category c USING (catid) JOIN date d ON d.dateid = s.dateid JOIN listing l ON l.listid = s.listid LEFT JOIN venue v USING (venueid)`)
const gold = {
  top_sellers: `SELECT sellerid, seller, seller_name, sum(qtysold) AS tickets, sum(pricepaid) AS revenue FROM consolidated_sales GROUP BY ALL ORDER BY tickets DESC LIMIT 120`,
  sales_by_region:
    'SELECT year, region, count(*) AS sales, sum(qtysold) AS tickets, sum(pricepaid) AS revenue FROM consolidated_sales GROUP BY ALL',
  commission_by_region:
    'SELECT year, region, sum(commission) AS commission FROM consolidated_sales GROUP BY ALL',
  sales_by_month:
    'SELECT year, month, sum(pricepaid) AS sales, sum(commission) AS commission, count(*) AS orders FROM consolidated_sales GROUP BY ALL',
}
for (const [name, sql] of Object.entries(gold))
  await run(`COPY (${sql}) TO '${out}/gold/${name}.parquet' (FORMAT parquet, COMPRESSION zstd)`)
await run(
  `COPY (SELECT *, month(saletime) AS m FROM consolidated_sales) TO '${out}/gold/consolidated_sales' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (m))`,
)
await run(
  `COPY (SELECT catgroup, catname, year, month, count(*) AS sales, sum(pricepaid) AS revenue FROM consolidated_sales GROUP BY ALL) TO '${out}/gold/sales_by_category' (FORMAT parquet, PARTITION_BY (catgroup, catname))`,
)
await run(
  `COPY (SELECT year, month, caldate, count(*) AS sales, sum(pricepaid) AS revenue FROM consolidated_sales GROUP BY ALL) TO '${out}/gold/sales_by_date' (FORMAT parquet, PARTITION_BY (year, month))`,
)
