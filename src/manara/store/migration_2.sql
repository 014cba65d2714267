-- From version 1 to 2: a run can be cancelled, and a worker finds its work without looking through all runs.

create table command_of_2 (
    run_id  text not null,
    kind    text not null check (kind in ('run', 'cancel')),
    body    text not null, -- JSON: of a run its pipeline, parameters, snapshot and options
    written text not null,
    primary key (run_id, kind)
) strict, without rowid;
insert into command_of_2 select run_id, kind, body, written from command;
drop table command;
alter table command_of_2 rename to command;

create table unfinished (
    run_id  text primary key,
    written text not null
) strict, without rowid;
create index unfinished_by_age on unfinished (written, run_id);
insert into unfinished
select run_id, written
from command
where not exists (select 1 from event where event.run_id = command.run_id and event.kind = 'runEnded')
    or run_id in (
        select json_extract(called.body, '$.names.GroupId')
        from event as called
        where called.kind = 'runStarted'
            and not exists (select 1 from event where event.run_id = called.run_id and event.kind = 'runEnded')
    );

-- Nobody works on a run while the journal is changed, so that no lease is lost.
drop table lease;
create table lease (
    run_id  text primary key,
    worker  text not null,
    host    text not null, -- the machine's name, for people
    pid     integer not null,
    machine text not null, -- where a process with this pid is this process and no other
    until   real not null  -- seconds since 1970, by the clock of the database
) strict, without rowid;

create trigger run_is_asked_for after insert on command when new.kind = 'run'
begin insert into unfinished (run_id, written) values (new.run_id, new.written); end;
