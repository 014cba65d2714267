-- The journal on PostgreSQL: the tables of schema.sql in its types, with its triggers. Version 3.
-- What the tables are for stands there.

create function now_s() returns double precision volatile language sql
as $$ select extract(epoch from clock_timestamp())::double precision $$;

create table snapshot (
    hash text primary key,
    body text not null
);

create table command (
    run_id  text not null,
    kind    text not null check (kind in ('run', 'cancel')),
    body    text not null,
    written text not null,
    primary key (run_id, kind)
);

create table unfinished (
    run_id  text primary key,
    written text not null
);

create index unfinished_by_age on unfinished (written, run_id);

create table lease (
    run_id  text primary key,
    worker  text not null,
    host    text not null,
    pid     integer not null,
    machine text not null,
    until   double precision not null
);

create table cursor (
    key      text primary key,
    factory  text not null,
    pipeline text not null,
    activity text not null,
    about    text not null,
    value    text not null,
    began    text not null,
    kept     text not null,
    run_id   text not null
);

create table progress (
    run_id text not null,
    step   text not null,
    leased text not null,
    at     text not null,
    body   text not null,
    primary key (run_id, step)
);

create index progress_of_a_whole_run on progress (leased);

create table event (
    seq    bigint generated always as identity primary key,
    run_id text not null,
    step   text not null,
    kind   text not null check (kind in ('runStarted', 'runEnded', 'started', 'decided', 'variable', 'ended')),
    at     text not null,
    body   text not null
);

create index event_of_run on event (run_id, seq);
create index event_of_a_whole_run on event (run_id) where kind in ('runStarted', 'runEnded');

create function event_is_kept() returns trigger language plpgsql
as $$ begin raise exception 'the journal is append-only'; end $$;

create trigger event_is_never_changed before update on event execute function event_is_kept();
create trigger event_is_never_removed before delete or truncate on event execute function event_is_kept();

create function note_what_was_asked_for() returns trigger language plpgsql
as $$ begin insert into unfinished (run_id, written) values (new.run_id, new.written); return null; end $$;

create trigger run_is_asked_for after insert on command
for each row when (new.kind = 'run') execute function note_what_was_asked_for();
