-- name: works_after: what activities did that tell of rows, each with how it began and its run; a page at a time
select
    done.seq, done.run_id, done.step, done.at, done.body,
    (
        select begun.body from event as begun
        where begun.run_id = done.run_id and begun.step = done.step and begun.kind = 'started' and begun.seq < done.seq
        order by begun.seq desc limit 1
    ),
    run.pipeline, run.group_id
from event as done
left join run on run.run_id = done.run_id
where done.seq > :after and done.kind = 'ended'
    and (done.body like :lineage or done.body like :gate or done.body like :lookup)
order by done.seq
limit :most;

-- name: happened_after: everything that happened in all runs, a page at a time
select seq, run_id, step, kind, at, body from event where seq > :after order by seq limit :most;
