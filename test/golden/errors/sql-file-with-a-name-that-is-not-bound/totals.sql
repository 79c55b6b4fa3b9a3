select status, count(*) as n
from ${order}
group by 1
