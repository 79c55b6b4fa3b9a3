select name from silver.customers where id not in (select customer from silver.orders)
