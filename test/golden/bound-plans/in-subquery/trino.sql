WITH s1 AS (SELECT "id" AS c0, "name" AS c1 FROM "silver"."customers"),
s2 AS (SELECT "customer" AS c0 FROM "silver"."orders"),
s3 AS (SELECT c0 FROM s2),
s4 AS (SELECT DISTINCT c0 AS c0 FROM s3 WHERE c0 IS NOT NULL),
s5 AS (SELECT count(*) AS c0, count(c0) AS c1 FROM s3),
s6 AS (SELECT l.c0 AS c0, l.c1 AS c1, CASE WHEN r.c0 IS NOT NULL THEN TRUE WHEN n.c0 = 0 THEN FALSE WHEN l.c0 IS NULL OR n.c1 < n.c0 THEN CAST(NULL AS boolean) ELSE FALSE END AS c2 FROM s1 AS l CROSS JOIN s5 AS n LEFT JOIN s4 AS r ON l.c0 = r.c0),
s7 AS (SELECT c0, c1, c2 FROM s6 WHERE (NOT c2)),
s8 AS (SELECT c1 AS c0 FROM s7)
SELECT CAST(c0 AS varchar) AS "name" FROM s8
