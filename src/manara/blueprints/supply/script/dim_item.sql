-- The listed items, and those that only the shipment list knows. A shipped item is a listed one where exactly one listed
-- item bears its name.
select 'list' as origin, id as natural_key, code as item_code, name, net_content
from item_newest
union all
select 'shipment', name_key(item_name), null, min(item_name), null
from shipment_line
where name_key(item_name) not in (select match_key from item_newest where bearers = 1)
group by name_key(item_name)
