-- name: runs: runs that were asked for, each with its start, its end and whether somebody works on it; the newest first
select command.run_id, command.body, start.at, finish.at, finish.body, lease.run_id is not null
from command
left join event as start on start.run_id = command.run_id
    and start.kind = 'runStarted' and start.kind in ('runStarted', 'runEnded') -- said twice: so the small index is used
left join event as finish on finish.run_id = command.run_id
    and finish.kind = 'runEnded' and finish.kind in ('runStarted', 'runEnded')
left join lease on lease.run_id = command.run_id and lease.until >= now_s()
where command.kind = 'run'
order by command.written desc, command.run_id
limit :most offset :skipped;

-- name: newest_run
select run_id from command where kind = 'run' order by written desc, run_id limit 1;

-- name: runs_like: runs whose id starts so, those that were called by others too
select run_id from command where kind = 'run' and substr(run_id, 1, :length) = :prefix
union
select run_id from event
where kind = 'runStarted' and kind in ('runStarted', 'runEnded') and substr(run_id, 1, :length) = :prefix
order by run_id
limit 6;

-- name: events_after: what happened in a run since
select seq, step, kind, at, body from event where run_id = :run_id and seq > :after order by seq;

-- name: attended: whether somebody works on the run now
select 1 from lease where run_id = :run_id and until >= now_s();

-- name: progress: what the activities of a run that are at work have done so far
select step, at, body from progress where run_id = :run_id;
