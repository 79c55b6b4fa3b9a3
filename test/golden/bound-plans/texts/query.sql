select concat(status, '-', id) as label, length(status) as letters, replace(status, 'a', $$\$$) as other
from silver.orders where status like '%\%' or right(status, 2) = 'it'
