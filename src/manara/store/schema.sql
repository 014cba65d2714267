-- The journal: what was asked for, who works on it, everything that happened, and where to go on. Version 3.

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
