-- From version 3 to 4: a row for each run, and what a server keeps: resources, triggers, identities, an audit log.

-- Every run, those that were called too, as it stands now: kept by the triggers below, for questions over many runs.
create table run (
    run_id   text primary key,
    factory  text not null, -- id of the factory's resource in lower case; '' for a folder that no server holds
    pipeline text not null,
    status   text not null,
    group_id text not null, -- the run that all of its family began with
    started  text not null, -- while it is queued, when it was asked for
    ended    text,
    updated  text not null
) strict, without rowid;

create index run_by_update on run (factory, updated, run_id, status, pipeline);
create index run_by_start on run (factory, started, run_id, updated, status, pipeline);
create index run_by_end on run (factory, coalesce(ended, ''), run_id, updated, status, pipeline);
create index run_of_pipeline on run (factory, pipeline, updated);
create index run_by_status on run (factory, status, updated);

-- The resources of the management API: resource groups, factories and all that lies in them.
create table document (
    id      text primary key, -- the resource id in lower case
    path    text not null,    -- the resource id as it was first written
    type    text not null,    -- in lower case, such as microsoft.datafactory/factories/pipelines
    parent  text not null,    -- id of what holds it
    body    text not null,    -- JSON, sealed
    etag    text not null,
    created text not null,
    changed text not null
) strict;

create index document_of_parent on document (parent, type, id);
create index document_by_type on document (type, id);
create index document_by_change on document (id, changed);

-- Whether a trigger is started, and what it has seen.
create table trigger_state (
    id      text primary key, -- that of its document
    factory text not null,
    state   text not null check (state in ('Started', 'Stopped')),
    since   text not null,    -- when it was started or stopped
    mark    text not null     -- JSON: up to where it has fired, what it has seen
) strict, without rowid;

-- The runs of triggers: one for each moment, window or event.
create table firing (
    id           text primary key,
    trigger_id   text not null,
    factory      text not null,
    trigger_name text not null,
    trigger_type text not null,
    moment       text not null, -- what tells it from the others of its trigger
    status       text not null,
    attempt      integer not null,
    body         text not null, -- JSON: times, event, message, ids of the pipeline runs
    written      text not null,
    updated      text not null
) strict;

create unique index firing_once on firing (trigger_id, moment);
create index firing_of_factory on firing (factory, written, id);
create index firing_by_status on firing (trigger_id, status, moment);

-- Who may sign in.
create table principal (
    object_id text primary key,
    app_id    text not null,
    kind      text not null check (kind in ('ServicePrincipal', 'User')),
    name      text not null,
    body      text not null, -- JSON: hashed secrets, whether it is disabled
    created   text not null,
    changed   text not null
) strict, without rowid;

create unique index principal_of_app on principal (app_id);
create unique index principal_by_name on principal (name);

-- Every write and every refusal; each row holds the digest of itself and the one before.
create table audit (
    seq  integer primary key,
    at   text not null,
    body text not null, -- JSON: who, what, from where, outcome
    hash text not null
) strict;

-- The workers that have taken part, by the integration runtime that they belong to.
create table node (
    id      text primary key,
    runtime text not null, -- id of the integration runtime; '' for the server's own
    name    text not null,
    body    text not null, -- JSON: machine, process, capacity
    seen    text not null
) strict, without rowid;

create index node_of_runtime on node (runtime, name);

insert into run (run_id, factory, pipeline, status, group_id, started, ended, updated)
select
    known.run_id, '', coalesce(begun.body ->> '$.pipeline', command.body ->> '$.pipeline', ''),
    coalesce(finish.body ->> '$.status', case when begun.at is null then 'Queued' else 'InProgress' end),
    coalesce(begun.body ->> '$.names.GroupId', known.run_id), coalesce(begun.at, command.written, finish.at), finish.at,
    coalesce(finish.at, begun.at, command.written)
from (
    select run_id from command where kind = 'run'
    union select run_id from event where kind = 'runStarted' and kind in ('runStarted', 'runEnded')
) as known
left join command on command.run_id = known.run_id and command.kind = 'run'
left join event as begun on begun.run_id = known.run_id
    and begun.kind = 'runStarted' and begun.kind in ('runStarted', 'runEnded')
left join event as finish on finish.run_id = known.run_id
    and finish.kind = 'runEnded' and finish.kind in ('runStarted', 'runEnded');

create trigger audit_is_never_changed before update on audit
begin select raise(abort, 'the audit log is append-only'); end;

create trigger audit_is_never_removed before delete on audit
begin select raise(abort, 'the audit log is append-only'); end;

create trigger run_is_queued after insert on command when new.kind = 'run'
begin
    insert into run (run_id, factory, pipeline, status, group_id, started, updated)
    values (
        new.run_id, coalesce(new.body ->> '$.options.factory', ''), coalesce(new.body ->> '$.pipeline', ''), 'Queued',
        new.run_id, new.written, new.written
    );
end;

create trigger run_is_to_stop after insert on command when new.kind = 'cancel'
begin
    update run set status = 'Canceling', updated = new.written
    where run_id = new.run_id and status in ('Queued', 'InProgress');
end;

create trigger run_has_started after insert on event when new.kind = 'runStarted'
begin
    insert into run (run_id, factory, pipeline, status, group_id, started, updated)
    values (
        new.run_id,
        coalesce((select factory from run where run_id = new.body ->> '$.caller.runId'), ''),
        coalesce(new.body ->> '$.pipeline', ''), 'InProgress', coalesce(new.body ->> '$.names.GroupId', new.run_id),
        new.at, new.at
    )
    on conflict (run_id) do update set
        status = case run.status when 'Queued' then excluded.status else run.status end,
        started = excluded.started, updated = excluded.updated;
end;

create trigger run_has_ended after insert on event when new.kind = 'runEnded'
begin
    update run set status = coalesce(new.body ->> '$.status', status), ended = new.at, updated = new.at
    where run_id = new.run_id;
end;
