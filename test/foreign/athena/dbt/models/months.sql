{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partitioned_by=['kind', 'month']) }}
select count(*) as sales, sum(qty) as tickets, category as kind, date_trunc('month', day) as month
from (select category, qty, cast(day as date) as day from {{ ref('recent') }} where category is not null)
{% if is_incremental() %}where day >= date '2026-03-01'{% endif %}
group by category, date_trunc('month', day)
