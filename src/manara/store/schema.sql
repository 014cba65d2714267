-- The journal: what was asked for, who works on it, everything that happened, and where to go on; and what a server keeps. Version 4.

-- The definitions that a run works with, once for all runs that share them.
create table snapshot (
    hash text primary key,
    body text not null
) strict, without rowid;

-- What somebody wants done: start this pipeline, or cancel this run.
create table command (
    run_id  text not null,
    kind    text not null check (kind in ('run', 'cancel')),
    body    text not null, -- JSON: of a run its pipeline, parameters, snapshot and options
    written text not null,
    primary key (run_id, kind)
) strict, without rowid;

-- The runs that were asked for and are not over, they or one that they called: where a worker looks for work.
create table unfinished (
    run_id  text primary key,
    written text not null
) strict, without rowid;

create index unfinished_by_age on unfinished (written, run_id);

-- Who works on a run now. It ends when the run ends, or when `until` has passed without a beat.
create table lease (
    run_id  text primary key,
    worker  text not null,
    host    text not null, -- the machine's name, for people
    pid     integer not null,
    machine text not null, -- where a process with this pid is this process and no other
    until   real not null  -- seconds since 1970, by the clock of the database
) strict, without rowid;

-- Where an activity goes on at its next run: what its last good run gave as `cursor` in its output.
create table cursor (
    key      text primary key, -- digest of the factory, the pipeline, the activity and what it reads and writes
    factory  text not null,
    pipeline text not null,
    activity text not null,
    about    text not null, -- JSON: what it reads and writes, for people
    value    text not null, -- JSON; null: from the start
    began    text not null, -- when the step that gave it began, or when it was set by hand
    kept     text not null,
    run_id   text not null -- '' where it was set by hand
) strict, without rowid;

-- What the activities that are at work have done so far: one row each, written over, gone when the whole run ends.
create table progress (
    run_id text not null,
    step   text not null,
    leased text not null, -- the run that is worked on: this one, or the one that called it
    at     text not null,
    body   text not null, -- JSON: the figures
    primary key (run_id, step)
) strict, without rowid;

create index progress_of_a_whole_run on progress (leased);

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

-- Everything that happened, in order. A row is written before what it says is acted on, and is never changed.
create table event (
    seq    integer primary key,
    run_id text not null,
    step   text not null,    -- path of the activity in the run, '' for the run itself
    kind   text not null check (kind in ('runStarted', 'runEnded', 'started', 'decided', 'variable', 'ended')),
    at     text not null,
    body   text not null     -- JSON
) strict;

create index event_of_run on event (run_id, seq);
create index event_of_a_whole_run on event (run_id) where kind in ('runStarted', 'runEnded');

create trigger event_is_never_changed before update on event
begin select raise(abort, 'the journal is append-only'); end;

create trigger event_is_never_removed before delete on event
begin select raise(abort, 'the journal is append-only'); end;

create trigger run_is_asked_for after insert on command when new.kind = 'run'
begin insert into unfinished (run_id, written) values (new.run_id, new.written); end;

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
