-- name: note_node
insert into node (id, runtime, name, body, seen) values (:id, :runtime, :name, :body, :now)
on conflict (id) do update set runtime = excluded.runtime, body = excluded.body, seen = excluded.seen;

-- name: nodes
select id, runtime, name, body, seen from node where runtime = :runtime order by name, id;

-- name: forget_node
delete from node where runtime = :runtime and lower(name) = :name;
