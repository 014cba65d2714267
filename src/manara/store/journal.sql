-- name: keep_snapshot
insert into snapshot (hash, body) values (:hash, :body) on conflict do nothing;

-- name: has_snapshot
select 1 from snapshot where hash = :hash;

-- name: snapshot
select body from snapshot where hash = :hash;

-- name: write_command: asking twice is asking once
insert into command (run_id, kind, body, written) values (:run_id, :kind, :body, :written) on conflict do nothing;

-- name: command
select body from command where run_id = :run_id and kind = :kind;

-- name: holds: whether the worker holds the lease of the run
select 1 from lease where run_id = ? and worker = ?;

-- name: append
insert into event (run_id, step, kind, at, body) values (?, ?, ?, ?, ?);

-- name: events
select seq, step, kind, at, body from event where run_id = :run_id and seq > :after order by seq limit :most;

-- name: start: how a run started
select body from event where run_id = :run_id and kind = 'runStarted';

-- name: end: how a run ended, where it has
select body from event where run_id = :run_id and kind = 'runEnded';

-- name: decided: what a run decided on
select step, body from event where run_id = :run_id and kind = 'decided' order by seq;

-- name: ended_steps
select distinct step from event where run_id = :run_id and kind = 'ended';

-- name: unfinished: runs that are not over, the newest first
select command.run_id, command.body, command.written
from unfinished
join command on command.run_id = unfinished.run_id and command.kind = 'run'
order by command.written desc, command.run_id;

-- name: settle: only while the worker holds the lease
delete from unfinished
where run_id = :run_id
    and exists (select 1 from lease where lease.run_id = unfinished.run_id and lease.worker = :worker);

-- name: is_unfinished
select 1 from unfinished where run_id = :run_id;

-- name: free: unfinished runs that nobody works on, the oldest first
select unfinished.run_id
from unfinished
left join lease on lease.run_id = unfinished.run_id
where lease.run_id is null or lease.until < now_s()
order by unfinished.written, unfinished.run_id
limit :most;

-- name: claim: take the lease where it is free, or has run out
insert into lease (run_id, worker, host, pid, machine, until)
values (:run_id, :worker, :host, :pid, :machine, now_s() + :lease_s)
on conflict (run_id) do update
    set worker = excluded.worker, host = excluded.host, pid = excluded.pid,
        machine = excluded.machine, until = excluded.until
    where lease.until < now_s();

-- name: holder
select pid, host from lease where run_id = :run_id;

-- name: holders: those of whom this machine can say whether they live
select run_id, worker, pid from lease where machine = :machine;

-- name: beat
update lease set until = now_s() + :lease_s where run_id = :run_id and worker = :worker;

-- name: release
delete from lease where run_id = :run_id and worker = :worker;

-- name: cursor: where an activity goes on
select value from cursor where key = :key;

-- name: keep_cursor: unless a step that began later, or somebody by hand, has set it meanwhile
insert into cursor (key, factory, pipeline, activity, about, value, began, kept, run_id)
values (:key, :factory, :pipeline, :activity, :about, :value, :began, :kept, :run_id)
on conflict (key) do update
    set about = excluded.about, value = excluded.value, began = excluded.began,
        kept = excluded.kept, run_id = excluded.run_id
    where cursor.began <= excluded.began;

-- name: cursor_places: which activities of a factory have left cursors
select distinct pipeline, activity from cursor where factory = :factory;

-- name: cursors: all of them
select key, factory, pipeline, activity, about, value, began, kept, run_id
from cursor
order by pipeline, activity, about, key;

-- name: set_cursor: by hand
update cursor set value = :value, began = :now, kept = :now, run_id = '' where key = :key;

-- name: write_progress: only while the worker holds the lease
insert into progress (run_id, step, leased, at, body)
select :run_id, :step, :leased, :at, :body
where exists (select 1 from lease where run_id = :leased and worker = :worker)
on conflict (run_id, step) do update set leased = excluded.leased, at = excluded.at, body = excluded.body;

-- name: forget_step
delete from progress where run_id = :run_id and step = :step;

-- name: forget_progress: that of a whole run
delete from progress where leased = :leased;
