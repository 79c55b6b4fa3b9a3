{{ config(materialized='table', table_type='iceberg', partitioned_by=['bucket(code, 4)'], format='parquet') }}
select l.code, l.label, l.since, date_diff('day', l.since, date '2026-04-01') as age, sum(r.qty) as tickets
from {{ ref('labels') }} l left join {{ ref('recent') }} r on r.category = l.code
group by 1, 2, 3
