-- One row for each line of the shipment list.
select
    line.id as line_id, line.order_number, line.note_number, cost.lead_id as note_line_id,
    if(listed.id is null, 'shipment', 'list') as item_origin,
    coalesce(listed.id, name_key(line.item_name)) as item_natural_key,
    name_key(line.vendor_name) as vendor_natural_key, line.country, code.iso3 as country_iso3, line.shipment_mode, line.fulfilled_via,
    line.quoted_on, line.ordered_on, line.scheduled_on, line.delivered_on, line.quantity as packs,
    line.line_value as line_value_usd, line.freight_stated as freight_stated_usd, cost.freight_usd, cost.freight_basis,
    line.weight_stated as weight_stated_kg, cost.weight_kg, cost.weight_basis, line._origin, line._row, line._run
from shipment_line as line
join shipment_cost as cost using (id)
left join item_newest as listed on listed.match_key = name_key(line.item_name) and listed.bearers = 1
left join country_code as code on code.country = line.country
