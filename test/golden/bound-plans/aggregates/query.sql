select customer, count(*) as orders, sum(amount) as total, count(distinct status) as kinds, max(day) as last
from silver.orders
where status <> 'gone' and amount between 0 and 100
group by customer
having count(*) > 1
