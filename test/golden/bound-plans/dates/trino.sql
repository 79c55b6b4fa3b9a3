WITH s1 AS (SELECT "day" AS c0, "placed" AS c1 FROM "silver"."orders"),
s2 AS (SELECT c0, c1 FROM s1 WHERE (c0 >= DATE '2026-02-28')),
s3 AS (SELECT CAST(date_trunc('month', c1) AS timestamp(6)) AS c0, CAST(year(c0) AS bigint) AS c1, CAST(date_add('month', 1, CAST(c0 AS timestamp(6))) AS timestamp(6)) AS c2, CAST((CAST(date_diff('day', CAST(c1 AS date), CAST(CAST(TIMESTAMP '2026-01-01 00:00:00' AS timestamp(6)) AS date)) AS bigint) * 24 + (hour(CAST(TIMESTAMP '2026-01-01 00:00:00' AS timestamp(6))) - hour(c1)) * 1) AS bigint) AS c3 FROM s2)
SELECT CAST(c0 AS timestamp(6)) AS "month", CAST(c1 AS bigint) AS "year", CAST(c2 AS timestamp(6)) AS "later", CAST(c3 AS bigint) AS "hours" FROM s3
