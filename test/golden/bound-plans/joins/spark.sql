WITH s1 AS (SELECT `customer` AS c0, `amount` AS c1, `id` AS c2 FROM `silver`.`orders`),
s2 AS (SELECT `id` AS c0, `name` AS c1 FROM `silver`.`customers`),
s3 AS (SELECT l.c0 AS c0, l.c1 AS c1, l.c2 AS c2, r.c0 AS c3, r.c1 AS c4 FROM s1 AS l LEFT JOIN s2 AS r ON ((l.c0 = r.c0) AND ((r.c1 <> '') OR (l.c1 > CAST('5.00' AS decimal(12,2)))))),
s4 AS (SELECT c2 AS c0, c4 AS c1 FROM s3)
SELECT CAST(c0 AS bigint) AS `id`, CAST(c1 AS string) AS `name` FROM s4
