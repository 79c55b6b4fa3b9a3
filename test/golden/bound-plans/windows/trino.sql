WITH s1 AS (SELECT "customer" AS c0, "id" AS c1, "amount" AS c2, "day" AS c3, "status" AS c4 FROM "silver"."orders"),
s2 AS (SELECT c0, c1, c2, c3, c4, CAST(row_number() OVER (PARTITION BY c0 ORDER BY c1 ASC NULLS LAST) AS bigint) AS c5, CAST(rank() OVER (PARTITION BY c0 ORDER BY c2 DESC NULLS LAST, c1 ASC NULLS LAST) AS bigint) AS c6, CAST(sum(c2) OVER (PARTITION BY c0 ORDER BY c3 ASC NULLS LAST, c1 ASC NULLS LAST ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS decimal(38,2)) AS c7, CAST(lag(c4, 1, CAST('none' AS varchar)) OVER (ORDER BY c1 ASC NULLS LAST) AS varchar) AS c8 FROM s1),
s3 AS (SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8 FROM s2 WHERE (c5 <= BIGINT '3')),
s4 AS (SELECT c1 AS c0, c6 AS c1, c7 AS c2, c8 AS c3 FROM s3)
SELECT CAST(c0 AS bigint) AS "id", CAST(c1 AS bigint) AS "place", CAST(c2 AS decimal(38,2)) AS "three", CAST(c3 AS varchar) AS "before" FROM s4
