-- The journal: what was asked for, who works on it, and everything that happened. Version 1.

-- The definitions that a run works with, once for all runs that share them.
create table snapshot (
    hash text primary key,
    body text not null
) strict, without rowid;

-- What somebody wants done: start this pipeline.
create table command (
    run_id  text primary key,
    kind    text not null check (kind in ('run')),
    body    text not null, -- JSON: pipeline, parameters, snapshot, invokedBy
    written text not null
) strict, without rowid;

-- Who works on a run now. It ends when the run ends, or when `until` has passed without a beat.
create table lease (
    run_id text primary key,
    worker text not null,
    host   text not null,
    pid    integer not null,
    until  real not null -- seconds since 1970
) strict, without rowid;

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
