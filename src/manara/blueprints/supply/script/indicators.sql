-- stock_status: the indicators of each facility, item, month and source.
--   soh             stock on hand: the closing stock of the month.
--   amc             average monthly consumption: the mean of what was dispensed in the last three months with a report,
--                   this month included, looking back six calendar months at the most. Months in which nothing was
--                   dispensed count as zero; months without a report, and those whose dispensed is unknown, do not count.
--   amc_months      how many months the mean is over: 0 to 3.
--   mos             months of stock: soh / amc; empty where amc is zero or unknown.
--   is_stock_out    soh is 0 and amc > 0; empty where one of them is unknown.
--   wastage         discarded / (dispensed + discarded) of the month; empty where nothing left the shelf.
create or replace view stock_status as
with history as (
    select
        this.facility_key, this.item_key, this.source, this.month, past.dispensed,
        row_number() over (
            partition by this.facility_key, this.item_key, this.source, this.month order by past.month desc) as place
    from fact_stock_month as this
    join fact_stock_month as past
        on past.facility_key = this.facility_key and past.item_key = this.item_key and past.source = this.source
        and past.month between this.month - interval 5 month and this.month
    where past.dispensed is not null
),
consumption as (
    select facility_key, item_key, source, month, avg(dispensed) as amc, count(*) as amc_months
    from history
    where place <= 3
    group by all
)
select
    fact.facility_key, fact.item_key, fact.source, fact.date_key, fact.month, fact.received, fact.dispensed,
    fact.discarded, fact.doses, fact.reported_on, fact.closing as soh, consumption.amc,
    coalesce(consumption.amc_months, 0) as amc_months,
    fact.closing / nullif(consumption.amc, 0) as mos,
    fact.closing = 0 and consumption.amc > 0 as is_stock_out,
    fact.discarded / nullif(fact.dispensed + fact.discarded, 0) as wastage
from fact_stock_month as fact
left join consumption using (facility_key, item_key, source, month);

-- stock_now: the newest month with a stock on hand of each facility, item and source. age_months says how long before
-- the newest month of its source that was; it is current up to one month.
create or replace view stock_now as
select
    place.name as facility, goods.name as item, status.*,
    date_diff('month', status.month, newest.month) as age_months,
    date_diff('month', status.month, newest.month) <= 1 as is_current
from (
    from stock_status
    where soh is not null
    qualify row_number() over (partition by facility_key, item_key, source order by month desc) = 1
) as status
join (select source, max(month) as month from fact_stock_month group by source) as newest using (source)
join dim_facility as place using (facility_key)
join dim_item as goods using (item_key);

-- facility_silence: the last month that each facility reported, by source. A facility is silent when that lies two
-- months or more before the newest month of the source.
create or replace view facility_silence as
select
    place.facility_key, place.name as facility, source, max(fact.month) as last_month,
    date_diff('month', max(fact.month), newest.month) as months_silent,
    date_diff('month', max(fact.month), newest.month) >= 2 as is_silent
from fact_stock_month as fact
join (select source, max(month) as month from fact_stock_month group by source) as newest using (source)
join dim_facility as place using (facility_key)
group by place.facility_key, place.name, source, newest.month;

-- wastage_item: discarded / (dispensed + discarded) of each item over the last twelve months of the source, summed over
-- the facility months in which both are known.
create or replace view wastage_item as
select
    goods.item_key, goods.name as item, source, sum(discarded)::bigint as discarded, sum(dispensed)::bigint as dispensed,
    sum(discarded) / nullif(sum(dispensed) + sum(discarded), 0) as wastage
from fact_stock_month as fact
join (select source, max(month) as newest from fact_stock_month group by source) using (source)
join dim_item as goods using (item_key)
where discarded is not null and dispensed is not null and fact.month > newest - interval 12 month
group by goods.item_key, goods.name, source;

-- shipment_status: the indicators of each shipment line.
--   delay_days      delivered minus scheduled; above 0 is late.
--   is_on_time      delivered on the scheduled day or before.
--   lead_time_days  from the day the order went to the vendor, else the day the quotation went out, to the delivery;
--                   empty where neither is known, or where the delivery lies before it (a fault in a date).
--   freight_share   freight / line value; empty where the freight is unknown or the value is zero.
create or replace view shipment_status as
select
    *,
    delivered_on - scheduled_on as delay_days,
    delivered_on <= scheduled_on as is_on_time,
    case when delivered_on >= coalesce(ordered_on, quoted_on) then delivered_on - coalesce(ordered_on, quoted_on) end
        as lead_time_days,
    freight_usd / nullif(line_value_usd, 0) as freight_share
from fact_shipment_line;

-- order_otif: an order is on time in full when every one of its lines was delivered on time.
create or replace view order_otif as
select
    order_number, count(*) as lines, count(*) filter (is_on_time) as lines_on_time,
    bool_and(is_on_time) as is_otif, max(delivered_on) as delivered_on
from shipment_status
group by order_number;

-- shipment_total: the indicators of all shipments in one row. freight_share is all known freight over the value of the
-- same lines, so that lines without a known freight count on neither side.
create or replace view shipment_total as
select
    count(*) as lines,
    (select count(*) from order_otif) as orders,
    (select count(*) filter (is_otif) / nullif(count(*), 0) from order_otif) as otif,
    count(*) filter (is_on_time) / nullif(count(*), 0) as lines_on_time,
    median(lead_time_days) as lead_time_days,
    count(lead_time_days) as lead_time_lines,
    sum(freight_usd) as freight_usd,
    sum(line_value_usd) filter (freight_usd is not null and line_value_usd > 0) as freight_value_usd,
    (sum(freight_usd) filter (line_value_usd > 0))::double
        / nullif(sum(line_value_usd) filter (freight_usd is not null and line_value_usd > 0), 0)::double as freight_share
from shipment_status;

-- vendor_delay: how late each vendor delivers.
create or replace view vendor_delay as
select
    vendor.name as vendor, count(*) as lines, count(*) filter (delay_days > 0) as lines_late,
    count(*) filter (delay_days > 0) / count(*) as share_late,
    median(delay_days) filter (delay_days > 0) as late_days
from shipment_status
join dim_vendor as vendor using (vendor_key)
group by vendor.name;
