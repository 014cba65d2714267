-- name: keep_snapshot
insert into snapshot (hash, body) values (:hash, :body) on conflict do nothing;

-- name: snapshot
select body from snapshot where hash = :hash;

-- name: write_command
insert into command (run_id, kind, body, written) values (:run_id, 'run', :body, :written);

-- name: command
select body from command where run_id = :run_id;

-- name: append
insert into event (run_id, step, kind, at, body) values (:run_id, :step, :kind, :at, :body);

-- name: events
select step, kind, at, body from event where run_id = :run_id order by seq;

-- name: claim: take the lease where it is free, has run out, or is held by a worker known to be dead
insert into lease (run_id, worker, host, pid, until) values (:run_id, :worker, :host, :pid, :until)
on conflict (run_id) do update
    set worker = excluded.worker, host = excluded.host, pid = excluded.pid, until = excluded.until
    where lease.until < :now or lease.worker = :dead;

-- name: holder
select worker, host, pid, until from lease where run_id = :run_id;

-- name: beat
update lease set until = :until where run_id = :run_id and worker = :worker;

-- name: release
delete from lease where run_id = :run_id and worker = :worker;

-- name: unfinished: runs that were asked for and have no end, the newest first
select command.run_id, json_extract(command.body, '$.pipeline') as pipeline, command.written
from command
where not exists (select 1 from event where event.run_id = command.run_id and event.kind = 'runEnded')
order by command.written desc, command.run_id;

-- name: orphans: runs that were called without waiting, whose call has ended and they have not
select child.run_id, child.body
from event as child
join event as call
    on call.run_id = json_extract(child.body, '$.caller.runId')
    and call.step = json_extract(child.body, '$.caller.step')
    and call.kind = 'ended'
where child.kind = 'runStarted'
    and json_extract(child.body, '$.names.GroupId') = :run_id
    and not exists (select 1 from event as finish where finish.run_id = child.run_id and finish.kind = 'runEnded');
