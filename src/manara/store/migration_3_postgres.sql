-- From version 2, the first here, to 3; see migration_3.sql.

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
