-- The journal on PostgreSQL: the tables of schema.sql in its types, with its triggers. Version 4.
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

create table run (
    run_id   text primary key,
    factory  text not null,
    pipeline text not null,
    status   text not null,
    group_id text not null,
    started  text not null,
    ended    text,
    updated  text not null
);

create index run_by_update on run (factory, updated, run_id, status, pipeline);
create index run_by_start on run (factory, started, run_id, updated, status, pipeline);
create index run_by_end on run (factory, coalesce(ended, ''), run_id, updated, status, pipeline);
create index run_of_pipeline on run (factory, pipeline, updated);
create index run_by_status on run (factory, status, updated);

create table document (
    id      text primary key,
    path    text not null,
    type    text not null,
    parent  text not null,
    body    text not null,
    etag    text not null,
    created text not null,
    changed text not null
);

create index document_of_parent on document (parent, type, id);
create index document_by_type on document (type, id);
create index document_by_change on document (id, changed);

create table trigger_state (
    id      text primary key,
    factory text not null,
    state   text not null check (state in ('Started', 'Stopped')),
    since   text not null,
    mark    text not null
);

create table firing (
    id           text primary key,
    trigger_id   text not null,
    factory      text not null,
    trigger_name text not null,
    trigger_type text not null,
    moment       text not null,
    status       text not null,
    attempt      integer not null,
    body         text not null,
    written      text not null,
    updated      text not null
);

create unique index firing_once on firing (trigger_id, moment);
create index firing_of_factory on firing (factory, written, id);
create index firing_by_status on firing (trigger_id, status, moment);

create table principal (
    object_id text primary key,
    app_id    text not null,
    kind      text not null check (kind in ('ServicePrincipal', 'User')),
    name      text not null,
    body      text not null,
    created   text not null,
    changed   text not null
);

create unique index principal_of_app on principal (app_id);
create unique index principal_by_name on principal (name);

create table audit (
    seq  bigint primary key,
    at   text not null,
    body text not null,
    hash text not null
);

create table node (
    id      text primary key,
    runtime text not null,
    name    text not null,
    body    text not null,
    seen    text not null
);

create index node_of_runtime on node (runtime, name);

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

-- JSON may hold a NUL and half a surrogate pair, and PostgreSQL's may not: they become question marks.
create function as_json(body text) returns json immutable language sql
as $$
select regexp_replace(
    body,
    '\\u0000|\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}',
    '\\u003f', 'gi'
)::json
$$;

create function audit_is_kept() returns trigger language plpgsql
as $$ begin raise exception 'the audit log is append-only'; end $$;

create trigger audit_is_never_changed before update on audit execute function audit_is_kept();
create trigger audit_is_never_removed before delete or truncate on audit execute function audit_is_kept();

create function note_run_is_queued() returns trigger language plpgsql
as $$
begin
    insert into run (run_id, factory, pipeline, status, group_id, started, updated)
    values (
        new.run_id, coalesce(as_json(new.body) #>> '{options,factory}', ''), coalesce(as_json(new.body) ->> 'pipeline', ''),
        'Queued', new.run_id, new.written, new.written
    );
    return null;
end $$;

create function note_run_is_to_stop() returns trigger language plpgsql
as $$
begin
    update run set status = 'Canceling', updated = new.written
    where run_id = new.run_id and status in ('Queued', 'InProgress');
    return null;
end $$;

create function note_run_has_started() returns trigger language plpgsql
as $$
begin
    insert into run (run_id, factory, pipeline, status, group_id, started, updated)
    values (
        new.run_id,
        coalesce((select factory from run where run_id = as_json(new.body) #>> '{caller,runId}'), ''),
        coalesce(as_json(new.body) ->> 'pipeline', ''), 'InProgress',
        coalesce(as_json(new.body) #>> '{names,GroupId}', new.run_id), new.at, new.at
    )
    on conflict (run_id) do update set
        status = case run.status when 'Queued' then excluded.status else run.status end,
        started = excluded.started, updated = excluded.updated;
    return null;
end $$;

create function note_run_has_ended() returns trigger language plpgsql
as $$
begin
    update run set status = coalesce(as_json(new.body) ->> 'status', status), ended = new.at, updated = new.at
    where run_id = new.run_id;
    return null;
end $$;

create trigger run_is_queued after insert on command
for each row when (new.kind = 'run') execute function note_run_is_queued();

create trigger run_is_to_stop after insert on command
for each row when (new.kind = 'cancel') execute function note_run_is_to_stop();

create trigger run_has_started after insert on event
for each row when (new.kind = 'runStarted') execute function note_run_has_started();

create trigger run_has_ended after insert on event
for each row when (new.kind = 'runEnded') execute function note_run_has_ended();
