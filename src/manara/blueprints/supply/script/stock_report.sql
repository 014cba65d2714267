-- stock_report: the data values turned to one row for each facility, item and month; what was not reported stays empty.
create or replace view stock_report as
select
    site_key,
    item_code,
    month,
    sum(value) filter (measure = 'OPENING')::bigint as opening,
    sum(value) filter (measure = 'RECEIVED')::bigint as received,
    sum(value) filter (measure = 'DISPENSED')::bigint as dispensed,
    sum(value) filter (measure = 'DISCARDED')::bigint as discarded,
    sum(value) filter (measure = 'CLOSING')::bigint as closing,
    sum(value) filter (measure = 'DOSES')::bigint as doses,
    max(created)::date as reported_on
from data_value
group by site_key, item_code, month;
