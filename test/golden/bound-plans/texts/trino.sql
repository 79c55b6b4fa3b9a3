WITH s1 AS (SELECT "status" AS c0, "id" AS c1 FROM "silver"."orders"),
s2 AS (SELECT c0, c1 FROM s1 WHERE (CAST((c0 LIKE '%\%') AS boolean) OR (CAST(CASE WHEN length(c0) <= 2 THEN c0 ELSE substring(c0, -2) END AS varchar) = CAST('it' AS varchar)))),
s3 AS (SELECT CAST((coalesce(c0, '') || coalesce(CAST('-' AS varchar), '') || coalesce(CAST(c1 AS varchar), '')) AS varchar) AS c0, CAST(length(c0) AS bigint) AS c1, CAST(replace(c0, CAST('a' AS varchar), CAST('\' AS varchar)) AS varchar) AS c2 FROM s2)
SELECT CAST(c0 AS varchar) AS "label", CAST(c1 AS bigint) AS "letters", CAST(c2 AS varchar) AS "other" FROM s3
