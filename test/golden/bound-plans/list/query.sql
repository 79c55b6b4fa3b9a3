select list(id) as ids from silver.orders
