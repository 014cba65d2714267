-- The questions that the report asks; each has a name.

-- name: loads
-- One row for each kind of source file; the months are made from the data values and read no file of their own.
select
    contract as "source",
    count(*) as "files",
    sum(rows_read)::bigint as "rows read",
    sum(rows_loaded)::bigint as "loaded",
    sum(rows_quarantined)::bigint as "quarantined",
    sum(rows_flagged)::bigint as "flagged"
from load_log
group by contract
order by min(loaded_at);

-- name: refusals
-- The rules that were broken, by source; an error refuses the row, a warning flags it.
select
    contract as "source", severity, sum(findings)::bigint as "rows",
    string_agg(rule || ' ' || findings, ', ' order by findings desc, rule) as "rules"
from (select contract, severity, rule, count(*) as findings from quality_finding group by all)
group by contract, severity
order by contract, severity;

-- name: findings
-- How often each rule was broken. A late report counts once, not once for each of its items; so does a name of a
-- country that nobody knows, and that waits, or waited, for a steward.
select rule, count(*) as findings
from quality_finding
where rule <> 'late-report'
group by rule
union all
select 'late-report', count(*)
from (
    select distinct site_key, month
    from quality_finding as finding
    join stock_month on stock_month._origin = finding.origin and stock_month._row = finding.row_number
    where finding.contract = 'stock_month' and finding.rule = 'late-report'
)
union all
select 'country.unmatched', count(*)
from steward_queue
where list_name = 'countries';

-- name: stock
select
    upper(source) as "source",
    strftime(max(month), '%Y-%m') as "month",
    count(distinct facility_key) as "facilities",
    count(*) as "all",
    count(*) filter (is_stock_out) as "out",
    count(*) filter (mos < 1) as "under 1",
    count(*) filter (mos >= 1 and mos <= 6) as "1 to 6",
    count(*) filter (mos > 6) as "over 6",
    count(*) filter (mos is null) as "unused"
from stock_now
where is_current
group by source
order by source;

-- name: stock_outs
select
    item,
    upper(source) as "source",
    count(*) as "out",
    round(sum(amc), 1) as "monthly need",
    array_to_string(list(facility order by amc desc, facility)[:2], ', ') || if(count(*) > 2, ', ...', '') as "most needed in"
from stock_now
where is_stock_out and is_current
group by item, source
order by "out" desc, "monthly need" desc, item, source
limit 8;

-- name: wastage
select item, upper(source) as "source", discarded, dispensed, round(wastage, 4) as "wastage %"
from wastage_item
where wastage is not null
order by wastage desc, item, source
limit 8;

-- name: silent
select facility, upper(source) as "source", strftime(last_month, '%Y-%m') as "last report", months_silent as "months silent"
from facility_silence
where is_silent
order by months_silent desc, facility, source
limit 10;

-- name: forecast
-- Each way to forecast, over all items of a source: its error in the months that chose it, and in those after.
select
    upper(error.source) as "source", error.method as "way",
    count(distinct used.item_key) filter (part = 'choice') as "used for items",
    round(sum(mae * errors) filter (part = 'choice') / sum(errors) filter (part = 'choice'), 2) as "error before the split",
    round(sum(mae * errors) filter (part = 'test') / sum(errors) filter (part = 'test'), 2) as "error after it",
    strftime(max(last_month) filter (part = 'choice'), '%Y-%m') as "split after"
from forecast_error as error
join (select source, max(made_after) as made_after from forecast_error group by source) using (source, made_after)
left join forecast_method as used
    on used.source = error.source and used.item_key = error.item_key and used.made_after = error.made_after
    and used.method = error.method
group by error.source, error.method
order by error.source, "error before the split", error.method;

-- name: runs_out
select
    facility, item, upper(source) as "source", soh as "stock", round(expected, 1) as "expected a month",
    round(cover_months, 1) as "lasts months", strftime(runs_out_in, '%Y-%m') as "runs out in"
from forecast_now
where runs_out_in is not null and soh > 0
order by runs_out_in, expected desc, facility, item
limit 8;

-- name: shipments
select
    lines as "lines",
    orders as "orders",
    round(otif, 4) as "OTIF %",
    round(lines_on_time, 4) as "on time %",
    round(lead_time_days, 1) as "lead time days",
    freight_usd as "freight (USD)",
    round(freight_share, 4) as "freight %"
from shipment_total;

-- name: freight
select
    freight_basis as "freight", count(*) as "lines", sum(freight_usd) as "freight (USD)",
    sum(weight_kg) as "weight (kg)"
from fact_shipment_line
group by freight_basis
order by "lines" desc, freight_basis;

-- name: vendors
select
    vendor, lines, lines_late as "late", round(share_late, 4) as "late %",
    round(late_days, 1) as "days late (median)"
from vendor_delay
where lines >= 20 and lines_late > 0
order by share_late desc, vendor
limit 5;
