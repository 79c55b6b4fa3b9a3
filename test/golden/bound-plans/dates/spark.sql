WITH s1 AS (SELECT `day` AS c0, `placed` AS c1 FROM `silver`.`orders`),
s2 AS (SELECT c0, c1 FROM s1 WHERE (c0 >= DATE '2026-02-28')),
s3 AS (SELECT CAST(make_date(year(c1), month(c1), 1) AS timestamp_ntz) AS c0, CAST(year(c0) AS bigint) AS c1, CAST((CAST(c0 AS timestamp_ntz) + INTERVAL '1' MONTH) AS timestamp_ntz) AS c2, CAST((CAST(datediff(CAST(TIMESTAMP_NTZ '2026-01-01 00:00:00' AS date), CAST(c1 AS date)) AS bigint) * 24 + (hour(TIMESTAMP_NTZ '2026-01-01 00:00:00') - hour(c1)) * 1) AS bigint) AS c3 FROM s2)
SELECT CAST(c0 AS timestamp_ntz) AS `month`, CAST(c1 AS bigint) AS `year`, CAST(c2 AS timestamp_ntz) AS `later`, CAST(c3 AS bigint) AS `hours` FROM s3
