-- totals
select status,
  sum(amunt) as amount
from ${orders}
group by 1
