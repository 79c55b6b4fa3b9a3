with busy as (select customer from silver.orders where amount > 10)
select customer from busy union select id from silver.customers except select customer from busy
