-- facility_key: a facility's name in the form by which two ways to write it are compared.
-- Lower case, no accents, "health centre" and its short forms as hc, "health post" as hp, words in order of the alphabet.
create or replace macro facility_key(name) as
    array_to_string(list_sort(list_filter(string_split_regex(
        regexp_replace(regexp_replace(
            lower(strip_accents(name)),
            '\bhealth\s+(centre|center)\b|\bh\s*/\s*c\b', ' hc ', 'g'),
            '\bhealth\s+post\b|\bh\s*/\s*p\b', ' hp ', 'g'),
        '[^a-z0-9]+'), lambda word: word <> '')), ' ');

-- name_key: a name without case, accents and doubled blanks, for items and vendors.
create or replace macro name_key(name) as
    trim(regexp_replace(lower(strip_accents(name)), '\s+', ' ', 'g'));

-- day_key: the key of a day in dim_date, such as 20240131.
create or replace macro day_key(day) as
    (year(day) * 10000 + month(day) * 100 + day(day))::integer;

-- load_log: one row for each file whose rows have been loaded. in_star tells whether the star has been built since.
create table if not exists load_log (
    source varchar not null,
    file_name varchar not null,
    content_md5 varchar not null,
    contract varchar not null,
    rows_read bigint not null,
    rows_loaded bigint not null,
    rows_quarantined bigint not null,
    rows_flagged bigint not null,
    run_id varchar not null,
    loaded_at timestamptz not null,
    in_star boolean not null default false,
    primary key (source, file_name, content_md5, contract)
);

-- The tables that the gate fills from the contracts of the same names. They are made here so that a source that never
-- comes is an empty table; a test holds their columns and the contracts' together.
create table if not exists facility (
    id varchar, code varchar, name varchar, facility_key varchar, active boolean, enabled boolean, live_since date,
    longitude double, latitude double, _origin varchar, _row bigint, _run varchar);
create table if not exists item (
    id varchar, version bigint, code varchar, name varchar, net_content bigint,
    _origin varchar, _row bigint, _run varchar);
create table if not exists reason (
    id varchar, name varchar, direction varchar, category varchar, tag varchar,
    _origin varchar, _row bigint, _run varchar);
create table if not exists stock_card (
    id varchar, facility_id varchar, item_id varchar, lot_id varchar, program_id varchar,
    _origin varchar, _row bigint, _run varchar);
create table if not exists stock_movement (
    id varchar, stock_card_id varchar, occurred_on date, processed_at timestamp, quantity bigint, reason_id varchar,
    source_id varchar, destination_id varchar, _origin varchar, _row bigint, _run varchar);
create table if not exists stock_on_hand (
    id varchar, stock_card_id varchar, counted_on date, stock_on_hand bigint,
    _origin varchar, _row bigint, _run varchar);
create table if not exists data_value (
    site_key varchar, item_code varchar, measure varchar, month date, category_option_combo varchar,
    attribute_option_combo varchar, org_unit varchar, value bigint, stored_by varchar, created timestamp,
    last_updated timestamp, _origin varchar, _row bigint, _run varchar);
create table if not exists stock_month (
    site_key varchar, item_code varchar, month date, opening bigint, received bigint, dispensed bigint,
    discarded bigint, closing bigint, doses bigint, reported_on date, _origin varchar, _row bigint, _run varchar);
create table if not exists shipment_line (
    id bigint, project_code varchar, order_number varchar, note_number varchar, country varchar, managed_by varchar,
    fulfilled_via varchar, inco_term varchar, shipment_mode varchar, quoted_on date, quoted_text varchar,
    ordered_on date, ordered_text varchar, scheduled_on date, delivered_on date, recorded_on date,
    product_group varchar, sub_classification varchar, vendor_name varchar, item_name varchar, molecule varchar,
    brand varchar, dosage_form varchar, units_per_pack bigint, quantity bigint, line_value double, pack_price double,
    unit_price double, manufacturing_site varchar, first_line boolean, weight_stated double, weight_text varchar,
    freight_stated double, freight_text varchar, freight_line_id bigint, insurance double,
    _origin varchar, _row bigint, _run varchar);

-- The star.
create table if not exists dim_facility (
    facility_key integer primary key,
    facility_id varchar not null unique,
    code varchar not null,
    name varchar not null,
    match_key varchar not null,
    is_active boolean not null,
    longitude double,
    latitude double
);
create table if not exists dim_item (
    item_key integer primary key,
    origin varchar not null,
    natural_key varchar not null,
    item_code varchar,
    name varchar not null,
    net_content bigint,
    unique (origin, natural_key)
);
create table if not exists dim_vendor (
    vendor_key integer primary key,
    natural_key varchar not null unique,
    name varchar not null
);
create table if not exists dim_date (
    date_key integer primary key,
    day date not null unique,
    year integer not null,
    quarter integer not null,
    month integer not null,
    month_start date not null
);
create table if not exists fact_stock_month (
    facility_key integer not null,
    item_key integer not null,
    date_key integer not null,
    source varchar not null,
    month date not null,
    opening bigint,
    received bigint,
    dispensed bigint,
    discarded bigint,
    adjusted bigint,
    closing bigint,
    doses bigint,
    moved_unknown bigint,
    identity_holds boolean,
    reported_on date,
    primary key (facility_key, item_key, date_key, source)
);
create table if not exists fact_shipment_line (
    line_id bigint primary key,
    order_number varchar not null,
    note_number varchar not null,
    note_line_id bigint,
    item_key integer not null,
    vendor_key integer not null,
    scheduled_key integer not null,
    delivered_key integer not null,
    country varchar not null,
    shipment_mode varchar,
    fulfilled_via varchar,
    quoted_on date,
    ordered_on date,
    scheduled_on date not null,
    delivered_on date not null,
    packs bigint not null,
    line_value_usd decimal(18, 2) not null,
    freight_stated_usd decimal(18, 2),
    freight_usd decimal(18, 2),
    freight_basis varchar not null,
    weight_stated_kg decimal(18, 3),
    weight_kg decimal(18, 3),
    weight_basis varchar not null
);
