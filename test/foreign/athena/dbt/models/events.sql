{{ config(materialized='incremental', incremental_strategy='merge', unique_key='eventid', table_type='iceberg',
          delete_condition="src.category = 'Plays'", merge_exclude_columns=['first_run']) }}
select eventid, name, coalesce(category, 'None') as category, '{{ var("until") }}' as first_run, '{{ var("until") }}' as last_run
from {{ source('silver', 'events') }}
{% if not is_incremental() %}where eventid < 12{% endif %}
