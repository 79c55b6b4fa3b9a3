select customer,
  avg(amount) as mean
from silver.orders group by customer
