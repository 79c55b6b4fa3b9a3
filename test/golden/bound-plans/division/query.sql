select amount / 3 as third from silver.orders
