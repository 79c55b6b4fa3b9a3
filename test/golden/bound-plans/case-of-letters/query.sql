select upper(name) as name from silver.customers
