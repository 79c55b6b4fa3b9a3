select id from silver.orders order by weight limit 3
