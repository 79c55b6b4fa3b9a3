select date_trunc('month', placed) as month, year(day) as year, day + interval 1 month as later,
  date_diff('hour', placed, timestamp '2026-01-01 00:00:00') as hours
from silver.orders where day >= date '2026-02-28'
