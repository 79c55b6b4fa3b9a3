WITH s1 AS (SELECT "status" AS c0, "amount" AS c1, "customer" AS c2, "day" AS c3 FROM "silver"."orders"),
s2 AS (SELECT c0, c1, c2, c3 FROM s1 WHERE (c0 <> CAST('gone' AS varchar)) AND (c1 >= CAST(DECIMAL '0.00' AS decimal(12,2))) AND (c1 <= CAST(DECIMAL '100.00' AS decimal(12,2)))),
s3 AS (SELECT c2 AS c0, CAST(count(*) AS bigint) AS c1, CAST(sum(c1) AS decimal(38,2)) AS c2, CAST(count(DISTINCT c0) AS bigint) AS c3, CAST(max(c3) AS date) AS c4 FROM s2 GROUP BY 1),
s4 AS (SELECT c0, c1, c2, c3, c4 FROM s3 WHERE (c1 > BIGINT '1')),
s5 AS (SELECT c0, c1, c2, c3, c4 FROM s4)
SELECT CAST(c0 AS integer) AS "customer", CAST(c1 AS bigint) AS "orders", CAST(c2 AS decimal(38,2)) AS "total", CAST(c3 AS bigint) AS "kinds", CAST(c4 AS date) AS "last" FROM s5
