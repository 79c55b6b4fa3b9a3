select
  s.salesid, s.saletime,
  d.caldate, d.year, cast(month(d.caldate) as integer) as month,
  s.qtysold, s.pricepaid, s.commission,
  s.sellerid, seller.username as seller, seller.firstname || ' ' || seller.lastname as seller_name,
  seller.city as seller_city,
  s.buyerid, buyer.username as buyer, buyer.firstname || ' ' || buyer.lastname as buyer_name,
  e.eventid, e.eventname, e.starttime,
  c.catgroup, c.catname,
  v.venuename, v.venuecity, v.venuestate, coalesce(v.region, 'unknown') as region,
  l.listid, l.listtime, l.numtickets, l.priceperticket
from ${sales} s
join ${users} seller on seller.userid = s.sellerid
join ${users} buyer on buyer.userid = s.buyerid
join ${events} e on e.eventid = s.eventid
join ${categories} c on c.catid = e.catid
join ${dates} d on d.dateid = s.dateid
join ${listings} l on l.listid = s.listid
left join ${venues} v on v.venueid = e.venueid
