-- Freight and weight of the shipment lines; the rule is told in docs/why/supply-indicators.md.
-- A note is a line that other lines name, together with the lines that name it: the first carries what all cost.

-- note_line: each line with the line that carries its note (itself where it stands alone).
create or replace view note_line as
select
    line.*,
    coalesce(freight_line_id, id) as lead_id,
    freight_line_id is not null or count(*) over (partition by coalesce(freight_line_id, id)) > 1 as is_shared
from shipment_line as line;

-- typical_weight: the median kilograms of one pack of an item, over the lines whose weight is their own.
create or replace view typical_weight as
select item_name, median(weight_stated / quantity) as pack_kg
from note_line
where not is_shared and weight_stated > 0
group by item_name;

-- missing_line: the notes that miss a line, because it lies in quarantine and is not loaded under the same id.
create or replace view missing_line as
select distinct coalesce(
    try_cast(regexp_extract(payload ->> '$."freight cost (usd)"', '^See .+ \(ID#:(\d+)\)$', 1) as bigint),
    try_cast(payload ->> '$.id' as bigint)) as lead_id
from quarantine
where contract = 'shipment_line' and status = 'open'
    and coalesce(try_cast(payload ->> '$.id' as bigint) not in (select id from shipment_line), true);

-- note: what each shared note cost and weighed, what its lines should weigh, and why its freight cannot be shared out.
create or replace view note as
with estimate as (
    select
        note_line.lead_id,
        case when pack_kg is not null then greatest(1, floor(quantity * pack_kg * 1000 + 0.5))::hugeint end as grams
    from note_line left join typical_weight using (item_name)
    where is_shared
)
select
    estimate.lead_id,
    any_value(carrier.freight_text) as freight_text,
    round(any_value(carrier.freight_stated) * 100)::hugeint as cents,
    nullif(round(any_value(carrier.weight_stated) * 1000), 0)::hugeint as stated_grams,
    sum(grams)::hugeint as estimated_grams,
    case
        when any_value(carrier.id) is null then 'the line that carries it is not loaded'
        when any_value(carrier.freight_line_id) is not null then 'the line that carries it names another line'
        when estimate.lead_id in (select lead_id from missing_line) then 'a line of the note is in quarantine'
        when count(*) > count(grams) then 'a line of the note has no typical weight'
    end as obstacle
from estimate
left join shipment_line as carrier on carrier.id = estimate.lead_id
group by estimate.lead_id;

-- note_share: what falls to each line of a note, in cents and grams: whole parts first, then one more to the lines with
-- the largest remainders until nothing is left, so that the parts add up to what the note says.
create or replace view note_share as
with line as (
    select
        note_line.id, note_line.lead_id, note.obstacle, cents, stated_grams, estimated_grams,
        greatest(1, floor(quantity * pack_kg * 1000 + 0.5))::hugeint as grams
    from note_line
    join note using (lead_id)
    left join typical_weight using (item_name)
    where is_shared
),
part as (
    select
        *,
        cents * grams // estimated_grams as whole_cents,
        row_number() over (partition by lead_id order by cents * grams % estimated_grams desc, id) as cent_place,
        stated_grams * grams // estimated_grams as whole_grams,
        row_number() over (partition by lead_id order by stated_grams * grams % estimated_grams desc, id) as gram_place
    from line
    where obstacle is null
)
select
    id,
    whole_cents + (cent_place <= cents - sum(whole_cents) over (partition by lead_id))::int as cents,
    coalesce(
        whole_grams + (gram_place <= stated_grams - sum(whole_grams) over (partition by lead_id))::int,
        grams) as grams,
    stated_grams is not null as is_scaled
from part;

-- shipment_cost: each line's freight and weight, each with its basis. What is not known stays empty, and says why.
create or replace view shipment_cost as
select
    line.id,
    line.lead_id,
    case when line.is_shared then share.cents / 100.0 else line.freight_stated end::decimal(18, 2) as freight_usd,
    case
        when coalesce(note.freight_text, line.freight_text) = 'Freight Included in Commodity Cost'
            then 'included in commodity cost'
        when coalesce(note.freight_text, line.freight_text) = 'Invoiced Separately' then 'invoiced separately'
        when not line.is_shared and line.freight_stated is not null then 'stated'
        when not line.is_shared then 'not stated'
        when note.obstacle is not null then 'not allocated: ' || note.obstacle
        when note.cents is null then 'not allocated: the line that carries it states no freight'
        else 'allocated by weight'
    end as freight_basis,
    case when line.is_shared then share.grams / 1000.0 else line.weight_stated end::decimal(18, 3) as weight_kg,
    case
        when not line.is_shared and line.weight_stated is not null then 'stated'
        when not line.is_shared and line.weight_text = 'Weight Captured Separately' then 'captured separately'
        when not line.is_shared then 'not stated'
        when note.obstacle is not null then 'not estimated: ' || note.obstacle
        when share.is_scaled then 'estimated, scaled to the note'
        else 'estimated'
    end as weight_basis
from note_line as line
left join note on line.is_shared and note.lead_id = line.lead_id
left join note_share as share on share.id = line.id;
