select s.salesid, s.eventid, e.category, s.qty, s.price, s.day
from {{ source('silver', 'sales') }} s
join {{ source('silver', 'events') }} e on e.eventid = s.eventid
where s.day <= date '{{ var("until") }}'
