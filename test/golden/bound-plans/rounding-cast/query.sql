select cast(weight as decimal(12, 2)) as weight from silver.orders
