select o.id, c.name from silver.orders o left join silver.customers c on c.id = o.customer and (c.name <> '' or o.amount > 5)
