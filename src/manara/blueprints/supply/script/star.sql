-- What the star is loaded from: views over the tables that the gate fills. The tables of the star themselves are declared
-- in subject/supply.yaml, and filled by the activities LoadDimension and LoadFact.

-- item_newest: the newest version of each listed item, and how many listed items bear its name.
create or replace view item_newest as
select id, code, name, name_key(name) as match_key, net_content, count(*) over (partition by name_key(name)) as bearers
from (from item qualify row_number() over (partition by id order by version desc) = 1);

-- lmis_line: each movement with what it means for the month. What a reason says is taken; without a reason, a source
-- makes a receipt, a destination an issue, and neither of both a count, as the LMIS records it. A reason that is not
-- listed leaves the direction unknown.
create or replace view lmis_line as
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
create or replace view lmis_balance as
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
create or replace view stock_month_both as
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
    facility_id, 'list' as item_origin, item_id as item_natural_key, 'lmis' as source, month, opening, received,
    dispensed, discarded, adjusted, closing, null::bigint as doses, moved_unknown, null::date as reported_on,
    null::varchar as _origin, null::bigint as _row, null::varchar as _run
from lmis
union all
select
    place.id, 'list', goods.id, 'dhis2', month, opening, received, dispensed, discarded, 0, closing, doses, 0,
    reported_on, stock_month._origin, stock_month._row, stock_month._run
from stock_month
join (from facility qualify count(*) over (partition by facility_key) = 1) as place
    on place.facility_key = stock_month.site_key
join (from item_newest qualify row_number() over (partition by code order by id) = 1) as goods
    on goods.code = stock_month.item_code;
