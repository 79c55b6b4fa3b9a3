{% snapshot label_history %}
{{ config(target_schema='scratch', unique_key='code', strategy='check', check_cols=['label'], table_type='iceberg') }}
select * from {{ ref('prices') }}
{% endsnapshot %}
