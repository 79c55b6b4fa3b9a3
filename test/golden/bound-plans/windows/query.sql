select id, rank() over (partition by customer order by amount desc nulls last, id) as place,
  sum(amount) over (partition by customer order by day, id rows between 2 preceding and current row) as three,
  lag(status, 1, 'none') over (order by id) as before
from silver.orders
qualify row_number() over (partition by customer order by id) <= 3
