-- From version 2 to 3: cursors are kept, and the figures of what is at work.

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
