{{ config(materialized='table', partitioned_by=['day']) }}
select count(*) as sales, sum(price) as revenue, day from {{ ref('recent') }} group by day
