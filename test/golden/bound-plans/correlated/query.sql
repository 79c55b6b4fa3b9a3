select name from silver.customers c where exists (select 1 from silver.orders o where o.customer = c.id)
