{{ config(materialized='incremental', incremental_strategy='append', table_type='iceberg', on_schema_change='append_new_columns') }}
select '{{ var("until") }}' as until, count(*) as sales
{% if is_incremental() %}, max(day) as last_day{% endif %}
from {{ ref('recent') }}
