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

-- What people do with refused rows, as the gate keeps it; made here so that a run before the first gate can ask for it.
create table if not exists quarantine (
    quarantine_id varchar primary key, contract varchar, contract_version varchar, origin varchar, row_number bigint,
    rules varchar[], reasons varchar[], payload json, run_id varchar, step varchar, noted timestamptz, status varchar);
create table if not exists quarantine_event (
    quarantine_id varchar, noted timestamptz, author varchar, action varchar, note varchar);

-- star_built: when the star was built. released: the rows that people have released from quarantine since.
create table if not exists star_built (built_at timestamptz);
create or replace view released as
select contract, origin, row_number
from quarantine_event join quarantine using (quarantine_id)
where action = 'release'
    and quarantine_event.noted > coalesce((select max(built_at) from star_built), timestamptz '1900-01-01 00:00:00+00');
