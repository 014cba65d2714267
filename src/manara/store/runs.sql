-- name: factory_of_run
select factory from run where run_id = :run_id;

-- name: count_unfinished: runs that are asked for and not over
select count(*) from unfinished;
