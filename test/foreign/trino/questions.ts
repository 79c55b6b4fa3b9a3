/*
 * Questions of a ticket shop as people put them to Athena: each SQL text is run unchanged by both.
 */

/**
 * How layers are built by CREATE TABLE AS, one from another; `layer` is a database of their own.
 */
export const layers: readonly string[] = [
  `CREATE TABLE layer.raw_sales WITH (format = 'PARQUET') AS SELECT * FROM silver.sales`,
  `CREATE TABLE layer.refined_sales WITH (format = 'PARQUET', partitioning = ARRAY['category']) AS
    SELECT s.salesid, s.eventid, e.name, coalesce(e.category, 'none') AS category, s.qty, s.price, s.qty * s.price AS total,
      s.day, year(s.day) AS sale_year, month(s.day) AS sale_month
    FROM layer.raw_sales s JOIN silver.events e ON s.eventid = e.eventid`,
  `CREATE TABLE layer.by_category WITH (format = 'PARQUET') AS
    SELECT category, sale_month, count(*) AS sales, sum(total) AS revenue, avg(price) AS mean FROM layer.refined_sales GROUP BY 1, 2`,
  `INSERT INTO layer.by_category SELECT 'all', NULL, count(*), sum(total), avg(price) FROM layer.refined_sales`,
]

export const questions: readonly string[] = [
  'SELECT category, sale_month, sales, revenue, mean FROM layer.by_category ORDER BY category, sale_month',
  "SELECT date_trunc('month', day) AS m, sum(qty * price) AS revenue FROM silver.sales GROUP BY 1 ORDER BY 1",
  'SELECT buyer, sum(qty) AS n, rank() OVER (ORDER BY sum(qty) DESC, buyer) AS place FROM silver.sales GROUP BY buyer ORDER BY place LIMIT 10',
  `WITH best AS (SELECT eventid, sum(price * qty) AS total FROM silver.sales GROUP BY eventid),
    ranked AS (SELECT *, row_number() OVER (ORDER BY total DESC) AS rn FROM best)
    SELECT e.name, r.total, r.total / sum(r.total) OVER () AS share FROM ranked r JOIN silver.events e USING (eventid) WHERE rn <= 5 ORDER BY rn`,
  "SELECT split_part(buyer, '@', 1) AS who, count(DISTINCT eventid) AS events FROM silver.sales WHERE regexp_like(buyer, '^buyer[1-3]+@') GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 7",
  'SELECT category, weekday, count(*) AS n FROM (SELECT category, day_of_week(starts) AS weekday FROM silver.events) GROUP BY GROUPING SETS ((category, weekday), (category), ()) ORDER BY 1, 2, 3',
  'SELECT category, grouping(category) AS g, count(*) FROM silver.events GROUP BY ROLLUP (category) ORDER BY g, category',
  `SELECT eventid, qtys[1] AS first_qty, cardinality(qtys) AS n, array_join(slice(qtys, 1, 3), '-') AS some FROM
    (SELECT eventid, array_agg(qty ORDER BY salesid) AS qtys FROM silver.sales GROUP BY eventid) ORDER BY eventid LIMIT 5`,
  `SELECT t.word, count(*) AS n FROM silver.events CROSS JOIN UNNEST(split(name, ' ')) AS t(word) GROUP BY 1 ORDER BY n DESC, word LIMIT 5`,
  `SELECT e.eventid, t.part, t.at FROM silver.events e CROSS JOIN UNNEST(split(e.name, ',')) WITH ORDINALITY AS t(part, at) WHERE e.eventid < 3 ORDER BY 1, 3`,
  `SELECT e.eventid, s.n FROM silver.events e LEFT JOIN (SELECT eventid, count(*) AS n FROM silver.sales WHERE price > 499 GROUP BY eventid) s ON e.eventid = s.eventid ORDER BY 1`,
  'SELECT eventid FROM silver.events WHERE NOT EXISTS (SELECT 1 FROM silver.sales s WHERE s.eventid = events.eventid AND s.price > 498) ORDER BY 1',
  'SELECT eventid, (SELECT max(price) FROM silver.sales s WHERE s.eventid = e.eventid) AS top FROM silver.events e ORDER BY 2 DESC, 1 LIMIT 4',
  'SELECT eventid FROM silver.events WHERE eventid < 4 UNION SELECT eventid FROM silver.sales WHERE eventid BETWEEN 2 AND 6 EXCEPT SELECT 5 ORDER BY 1 OFFSET 1 LIMIT 3',
  "SELECT sum(CASE WHEN qty > 4 THEN 1 ELSE 0 END) AS many, count_if(qty > 4) AS too, sum(price) FILTER (WHERE day >= DATE '2026-06-01') AS late FROM silver.sales",
  'SELECT day, revenue, revenue - lag(revenue) OVER (ORDER BY day) AS change, avg(revenue) OVER (ORDER BY day ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS mean FROM gold.daily ORDER BY day LIMIT 8',
  "SELECT date_diff('day', min(day), max(day)) AS days, sum(qty) / count(*) AS whole, CAST(sum(qty) AS double) / count(*) AS exact, sum(price) / count(*) AS mean FROM silver.sales",
  "SELECT date_format(starts, '%Y-%m') AS m, max_by(name, eventid) AS last, min(starts) + interval '90' minute AS ends FROM silver.events GROUP BY 1 ORDER BY 1",
  'SELECT a.eventid AS x, b.eventid AS y FROM silver.events a JOIN silver.events b ON a.eventid + 3 = b.eventid AND a.category = b.category ORDER BY 1',
  'SELECT * FROM (VALUES (1, 1.5), (2, NULL)) AS t(a, b) FULL JOIN (VALUES 2, 3) AS u(c) ON t.a = u.c ORDER BY a, c',
  "SELECT count(*) AS n FROM silver.sales WHERE day > date_add('month', -2, (SELECT max(day) FROM silver.sales)) AND buyer NOT LIKE '%9@%'",
  'SELECT DISTINCT sale_year, sale_month FROM layer.refined_sales WHERE total > 3000 ORDER BY 1, 2',
  'SELECT eventid, sum(price) AS price FROM silver.sales GROUP BY 1 ORDER BY abs(price) DESC, 1 LIMIT 5',
  'SELECT salesid, 0 - price AS price FROM silver.sales ORDER BY price * 1, salesid LIMIT 5',
  'SELECT eventid FROM silver.events WHERE eventid < 4 UNION SELECT eventid + 9 FROM silver.events ORDER BY eventid % 5, eventid LIMIT 6',
  'SELECT count(*) AS n FROM silver.sales WHERE (eventid, qty) IN (SELECT eventid, max(qty) FROM silver.sales GROUP BY 1)',
]
