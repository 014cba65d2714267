-- dim_facility: the facilities of the list. A key that was given once is kept.
insert into dim_facility
select
    (select coalesce(max(facility_key), 0) from dim_facility) + row_number() over (order by code, id),
    id, code, name, facility_key, active, longitude, latitude
from facility
where id not in (select facility_id from dim_facility);

update dim_facility
set code = listed.code, name = listed.name, match_key = listed.facility_key, is_active = listed.active,
    longitude = listed.longitude, latitude = listed.latitude
from facility as listed
where listed.id = dim_facility.facility_id
    and (dim_facility.code, dim_facility.name, dim_facility.match_key, dim_facility.is_active,
        dim_facility.longitude, dim_facility.latitude)
    is distinct from (listed.code, listed.name, listed.facility_key, listed.active, listed.longitude, listed.latitude);

-- item_newest: the newest version of each listed item, and how many listed items bear its name.
create or replace view item_newest as
select id, code, name, name_key(name) as match_key, net_content, count(*) over (partition by name_key(name)) as bearers
from (from item qualify row_number() over (partition by id order by version desc) = 1);

-- dim_item: the listed items, and those that only the shipment list knows. A shipped item is a listed one where
-- exactly one listed item bears its name.
insert into dim_item
select
    (select coalesce(max(item_key), 0) from dim_item) + row_number() over (order by origin, natural_key), known.*
from (
    select 'list' as origin, id as natural_key, code, name, net_content from item_newest
    union all
    select 'shipment', name_key(item_name), null, min(item_name), null
    from shipment_line
    where name_key(item_name) not in (select match_key from item_newest where bearers = 1)
    group by name_key(item_name)
) as known
where (origin, natural_key) not in (select (origin, natural_key) from dim_item);

update dim_item
set item_code = listed.code, name = listed.name, net_content = listed.net_content
from item_newest as listed
where dim_item.origin = 'list' and dim_item.natural_key = listed.id
    and (dim_item.item_code, dim_item.name, dim_item.net_content)
    is distinct from (listed.code, listed.name, listed.net_content);

-- dim_vendor: who sold; two spellings that differ only in case, accents or blanks are one vendor.
insert into dim_vendor
select
    (select coalesce(max(vendor_key), 0) from dim_vendor) + row_number() over (order by natural_key), natural_key, name
from (select name_key(vendor_name) as natural_key, min(vendor_name) as name from shipment_line group by all)
where natural_key not in (select natural_key from dim_vendor);

-- lmis_line: each movement with what it means for the month. What a reason says is taken; without a reason, a source
-- makes a receipt, a destination an issue, and neither of both a count, as the LMIS records it. A reason that is not
-- listed leaves the direction unknown.
create or replace temp view lmis_line as
select
    card.facility_id,
    card.item_id,
    date_trunc('month', line.occurred_on)::date as month,
    line.quantity,
    case
        when reason.tag = 'received' and reason.direction = 'CREDIT' then 'received'
        when reason.tag = 'consumed' and reason.direction = 'DEBIT' then 'dispensed'
        when reason.tag = 'wasted' and reason.direction = 'DEBIT' then 'discarded'
        when reason.direction = 'CREDIT' then 'added'
        when reason.direction = 'DEBIT' then 'taken'
        when line.reason_id is not null then 'unknown'
        when line.source_id is not null then 'received'
        when line.destination_id is not null then 'taken'
        else 'count'
    end as meaning
from stock_movement as line
join stock_card as card on card.id = line.stock_card_id
left join reason on reason.id = line.reason_id;

-- lmis_balance: what a card holds at the end of a month in which its facility and item had a movement or a snapshot,
-- and at the end of the day before that month. A snapshot stands until the next one.
create or replace temp view lmis_balance as
with active as (
    select distinct facility_id, item_id, month from lmis_line
    union
    select distinct card.facility_id, card.item_id, date_trunc('month', counted_on)::date
    from stock_on_hand join stock_card as card on card.id = stock_card_id
),
snapshot as (
    from stock_on_hand qualify row_number() over (partition by stock_card_id, counted_on order by _origin desc, _row desc) = 1
),
asked as (
    select active.*, card.id as card_id, last_day(active.month) as month_end, active.month - 1 as day_before
    from active join stock_card as card using (facility_id, item_id)
)
select asked.facility_id, asked.item_id, asked.month, sum(before.stock_on_hand)::bigint as opening,
    sum(after.stock_on_hand)::bigint as closing
from asked
asof left join snapshot as before on before.stock_card_id = asked.card_id and before.counted_on <= asked.day_before
asof left join snapshot as after on after.stock_card_id = asked.card_id and after.counted_on <= asked.month_end
group by all;

-- stock_month_both: the months of both sources in the columns of the fact. In the LMIS, no movement means zero, but
-- one movement in an unknown direction leaves all that moved in that month unknown.
create or replace temp view stock_month_both as
with flow as (
    select
        facility_id, item_id, month,
        coalesce(sum(quantity) filter (meaning = 'received'), 0)::bigint as received,
        coalesce(sum(quantity) filter (meaning = 'dispensed'), 0)::bigint as dispensed,
        coalesce(sum(quantity) filter (meaning = 'discarded'), 0)::bigint as discarded,
        (coalesce(sum(quantity) filter (meaning = 'added'), 0)
            - coalesce(sum(quantity) filter (meaning = 'taken'), 0))::bigint as adjusted,
        coalesce(sum(quantity) filter (meaning = 'unknown'), 0)::bigint as moved_unknown,
        count(*) filter (meaning = 'unknown') > 0 as is_unknown
    from lmis_line
    group by all
),
lmis as (
    select
        balance.facility_id, balance.item_id, balance.month, balance.opening, balance.closing,
        case when not coalesce(is_unknown, false) then coalesce(received, 0) end as received,
        case when not coalesce(is_unknown, false) then coalesce(dispensed, 0) end as dispensed,
        case when not coalesce(is_unknown, false) then coalesce(discarded, 0) end as discarded,
        case when not coalesce(is_unknown, false) then coalesce(adjusted, 0) end as adjusted,
        coalesce(moved_unknown, 0) as moved_unknown
    from lmis_balance as balance left join flow using (facility_id, item_id, month)
)
select
    facility_key, item_key, 'lmis' as source, month, opening, received, dispensed, discarded, adjusted, closing,
    null::bigint as doses, moved_unknown, null::date as reported_on
from lmis
join dim_facility using (facility_id)
join dim_item on dim_item.origin = 'list' and dim_item.natural_key = lmis.item_id
union all
select
    place.facility_key, goods.item_key, 'dhis2', month, opening, received, dispensed, discarded, 0, closing,
    doses, 0, reported_on
from stock_month
join (from dim_facility qualify count(*) over (partition by match_key) = 1) as place on place.match_key = stock_month.site_key
join (from dim_item where origin = 'list' qualify row_number() over (partition by item_code order by item_key) = 1) as goods
    on goods.item_code = stock_month.item_code;

-- dim_date: every day from the first to the last that a fact needs, whole months.
insert into dim_date
select day_key(day), day, year(day), quarter(day), month(day), date_trunc('month', day)::date
from (
    select unnest(generate_series(min(date_trunc('month', day))::timestamp, max(last_day(day))::timestamp, interval 1 day))::date as day
    from (
        select month as day from stock_month_both
        union all select scheduled_on from shipment_line
        union all select delivered_on from shipment_line
    )
)
where day not in (select day from dim_date);

-- fact_stock_month: facility x item x month x source.
merge into fact_stock_month as target
using (
    select
        facility_key, item_key, day_key(month) as date_key, source, month, opening, received, dispensed, discarded,
        adjusted, closing, doses, moved_unknown,
        opening + received - dispensed - discarded + adjusted = closing as identity_holds, reported_on
    from stock_month_both
) as fresh using (facility_key, item_key, date_key, source)
when matched and (target.opening, target.received, target.dispensed, target.discarded, target.adjusted, target.closing,
        target.doses, target.moved_unknown, target.identity_holds, target.reported_on)
    is distinct from (fresh.opening, fresh.received, fresh.dispensed, fresh.discarded, fresh.adjusted, fresh.closing,
        fresh.doses, fresh.moved_unknown, fresh.identity_holds, fresh.reported_on)
    then update set opening = fresh.opening, received = fresh.received, dispensed = fresh.dispensed,
        discarded = fresh.discarded, adjusted = fresh.adjusted, closing = fresh.closing, doses = fresh.doses,
        moved_unknown = fresh.moved_unknown, identity_holds = fresh.identity_holds, reported_on = fresh.reported_on
when not matched then insert values (
    fresh.facility_key, fresh.item_key, fresh.date_key, fresh.source, fresh.month, fresh.opening, fresh.received,
    fresh.dispensed, fresh.discarded, fresh.adjusted, fresh.closing, fresh.doses, fresh.moved_unknown,
    fresh.identity_holds, fresh.reported_on);
