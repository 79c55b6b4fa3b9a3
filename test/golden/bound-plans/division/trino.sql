WITH s1 AS (SELECT "amount" AS c0 FROM "silver"."orders"),
s2 AS (SELECT (CAST(c0 AS double) / CAST(INTEGER '3' AS double)) AS c0 FROM s1)
SELECT CAST(c0 AS double) AS "third" FROM s2
