{{ config(materialized='ephemeral') }}
select code, case when code = 'Opera' then '{{ var("opera") }}' else label end as label from {{ ref('labels') }}
