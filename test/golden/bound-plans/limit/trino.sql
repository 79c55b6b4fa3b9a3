WITH s1 AS (SELECT "id" AS c0, "amount" AS c1 FROM "silver"."orders"),
s2 AS (SELECT c0, c1 FROM s1),
s3 AS (SELECT c0, c1 FROM s2 ORDER BY c1 DESC NULLS FIRST, c0 ASC NULLS LAST OFFSET 5 LIMIT 10)
SELECT CAST(c0 AS bigint) AS "id", CAST(c1 AS decimal(12,2)) AS "amount" FROM s3
