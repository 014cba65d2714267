-- consumption_guess: what each way to forecast says about a month of a facility, item and source from what lay before it.
-- A row stands for every month that can be judged, and for the month after the newest one of the source. All three ways
-- use the same reports: none where nothing was reported in the six months before.
--   median      the median of all months before.
--   amc         the mean of the last three months with a report, looking back six calendar months at the most.
--   last        what was dispensed in the last month with a report.
create or replace temp table consumption_guess as
with known as (
    select facility_key, item_key, source, month, dispensed from fact_stock_month where dispensed is not null
),
newest as (
    select source, max(month) as made_after from known group by source
),
asked as (
    select facility_key, item_key, source, month, dispensed as actual from known
    union all
    select distinct facility_key, item_key, source, (made_after + interval 1 month)::date, null::bigint
    from known join newest using (source)
)
select
    asked.facility_key, asked.item_key, asked.source, newest.made_after, asked.month, any_value(asked.actual) as actual,
    median(past.dispensed)::double as median,
    list_avg([
        report.dispensed for report in list_sort(list({'month': past.month, 'dispensed': past.dispensed}), 'desc')[:3]
        if report.month >= asked.month - interval 6 month])::double as amc,
    max_by(past.dispensed, past.month)::double as last,
    count(*) as history_months
from asked
join newest using (source)
join known as past
    on past.facility_key = asked.facility_key and past.item_key = asked.item_key and past.source = asked.source
    and past.month < asked.month
group by asked.facility_key, asked.item_key, asked.source, newest.made_after, asked.month
having max(past.month) >= asked.month - interval 6 month;

-- forecast_error: how wrong each way would have been, by item and source. The months are split by time: the last quarter
-- of those that can be judged (one at least) is the test, and what lies before it decides which way is used.
--   errors      how many facility months were compared.
--   mae         the mean of |forecast - dispensed|.
--   bias        the mean of forecast - dispensed; above 0 it says too much.
--   wape        the sum of |forecast - dispensed| over the sum of what was dispensed.
create table if not exists forecast_error (
    source varchar not null,
    item_key integer not null,
    made_after date not null,
    part varchar not null,
    method varchar not null,
    first_month date not null,
    last_month date not null,
    errors bigint not null,
    mae double not null,
    bias double not null,
    wape double,
    primary key (source, item_key, made_after, part, method)
);
delete from forecast_error where (source, made_after) in (select (source, made_after) from consumption_guess);
insert into forecast_error
with judged as (
    select source, item_key, made_after, month, actual, method, guess - actual as error
    from (
        unpivot (from consumption_guess where actual is not null) on median, amc, last into name method value guess
    )
),
split as (
    select source, quantile_disc(month, 0.75) as first_tested
    from (select distinct source, month from judged)
    group by source
)
select
    source, item_key, made_after, if(month < first_tested, 'choice', 'test'), method, min(month), max(month), count(*),
    round(avg(abs(error)), 6), round(avg(error), 6), round(sum(abs(error)) / nullif(sum(actual), 0), 6)
from judged join split using (source)
group by all;

-- forecast_method: the way that is used for an item and source: the least mean error in the months before the test, the
-- simpler way where two are equal. Without such months it is the median, and chosen_by says so.
create or replace view forecast_method as
with rival as (
    select *, list_position(['median', 'amc', 'last'], method) as place from forecast_error where part = 'choice'
),
best as (
    from rival qualify row_number() over (partition by source, item_key, made_after order by mae, place) = 1
)
select
    known.source, known.item_key, known.made_after, coalesce(best.method, 'median') as method,
    if(best.method is null, 'too little history', 'least error before the test') as chosen_by,
    best.mae as mae_choice, tested.mae as mae_test, tested.wape as wape_test, tested.bias as bias_test,
    tested.errors as tests, tested.mae <= others.least as is_best_in_test
from (select distinct source, item_key, made_after from forecast_error) as known
left join best using (source, item_key, made_after)
left join forecast_error as tested
    on tested.source = known.source and tested.item_key = known.item_key and tested.made_after = known.made_after
    and tested.part = 'test' and tested.method = coalesce(best.method, 'median')
left join (
    select source, item_key, made_after, min(mae) as least from forecast_error where part = 'test' group by all
) as others
    on others.source = known.source and others.item_key = known.item_key and others.made_after = known.made_after;

-- fact_forecast: what each facility is expected to dispense of an item in the three months after the newest report of its
-- source, by the way that is used for the item. A version for every newest month is kept: what was said then stays said.
create table if not exists fact_forecast (
    facility_key integer not null,
    item_key integer not null,
    source varchar not null,
    made_after date not null,
    month date not null,
    method varchar not null,
    chosen_by varchar not null,
    expected double not null,
    mae double,
    history_months bigint not null,
    primary key (facility_key, item_key, source, made_after, month)
);
delete from fact_forecast where (source, made_after) in (select (source, made_after) from consumption_guess);
insert into fact_forecast
select
    guess.facility_key, guess.item_key, guess.source, guess.made_after,
    (guess.month + to_months(ahead))::date, coalesce(used.method, 'median'),
    coalesce(used.chosen_by, 'too little history'),
    case coalesce(used.method, 'median') when 'median' then guess.median when 'amc' then guess.amc else guess.last end,
    used.mae_test, guess.history_months
from consumption_guess as guess
cross join (select unnest([0, 1, 2]) as ahead)
left join forecast_method as used using (source, item_key, made_after)
where guess.month > guess.made_after;

-- forecast_now: the newest forecast of each source beside the stock.
--   soh             stock on hand, where a current report tells it.
--   cover_months    stock on hand / expected a month: how long the stock lasts if nothing comes.
--   runs_out_in     the month in which it would not be enough; empty where it lasts beyond the three months.
create or replace view forecast_now as
select
    place.name as facility, goods.name as item, fact.facility_key, fact.item_key, fact.source, fact.made_after,
    fact.method, fact.chosen_by, min_by(fact.expected, fact.month) as expected, any_value(fact.mae) as mae,
    any_value(stock.soh) as soh, any_value(stock.soh) / nullif(min_by(fact.expected, fact.month), 0) as cover_months,
    min(fact.month) filter (fact.expected * date_diff('month', fact.made_after, fact.month) > stock.soh) as runs_out_in
from fact_forecast as fact
join (select source, max(made_after) as made_after from fact_forecast group by source) using (source, made_after)
left join (from stock_now where is_current) as stock using (facility_key, item_key, source)
join dim_facility as place using (facility_key)
join dim_item as goods using (item_key)
group by place.name, goods.name, fact.facility_key, fact.item_key, fact.source, fact.made_after, fact.method,
    fact.chosen_by;
