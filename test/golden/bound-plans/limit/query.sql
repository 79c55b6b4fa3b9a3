select id, amount from silver.orders order by amount desc nulls first, id limit 10 offset 5
