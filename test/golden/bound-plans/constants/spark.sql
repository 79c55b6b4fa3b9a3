WITH s1 AS (SELECT 1 AS c0),
s2 AS (SELECT CAST('9007199254740993' AS bigint) AS c0, CAST('1.50' AS decimal(3,2)) AS c1, CAST('-7' AS int) AS c2, CAST('0.0001' AS decimal(9,4)) AS c3, CAST('123456789012345678901234567890' AS decimal(38,0)) AS c4, 'it\'s' AS c5, TRUE AS c6, CAST(NULL AS int) AS c7 FROM s1)
SELECT CAST(c0 AS bigint) AS `big`, CAST(c1 AS decimal(3,2)) AS `price`, CAST(c2 AS int) AS `below`, CAST(c3 AS decimal(9,4)) AS `small`, CAST(c4 AS decimal(38,0)) AS `huge`, CAST(c5 AS string) AS `text`, CAST(c6 AS boolean) AS `yes`, CAST(c7 AS int) AS `nothing` FROM s2
