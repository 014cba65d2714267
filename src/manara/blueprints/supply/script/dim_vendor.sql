-- Who sold.
select name_key(vendor_name) as natural_key, min(vendor_name) as name from shipment_line group by all
