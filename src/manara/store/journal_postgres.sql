-- What PostgreSQL says differently from journal.sql.

-- name: append: only while the worker holds the lease, which nobody can take over while this goes on
with holder as materialized (
    select 1 from lease where run_id = :leased and worker = :worker for share
)
insert into event (run_id, step, kind, at, body)
select given.run_id, given.step, given.kind, given.at, given.body
from unnest(:run_id::text[], :step::text[], :kind::text[], :at::text[], :body::text[])
    with ordinality as given (run_id, step, kind, at, body, place)
where exists (select 1 from holder)
order by given.place;

-- name: free: unfinished runs that nobody works on, the oldest first; what another worker is taking is passed over
select unfinished.run_id
from unfinished
left join lease on lease.run_id = unfinished.run_id
where lease.run_id is null or lease.until < now_s()
order by unfinished.written, unfinished.run_id
limit :most
for update of unfinished skip locked;
