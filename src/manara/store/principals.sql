-- name: add_principal: only where its ids and its name are free
insert into principal (object_id, app_id, kind, name, body, created, changed)
select :object_id, :app_id, :kind, :name, :body, :now, :now
where not exists (select 1 from principal where lower(name) = lower(:name))
on conflict do nothing;

-- name: principal_of_app
select object_id, app_id, kind, name, body, created from principal where app_id = :app_id;

-- name: principal_of_object
select object_id, app_id, kind, name, body, created from principal where object_id = :object_id;

-- name: principal_named
select object_id, app_id, kind, name, body, created from principal where lower(name) = lower(:name);

-- name: principals
select object_id, app_id, kind, name, body, created from principal order by lower(name), object_id;

-- name: change_principal
update principal set name = :name, body = :body, changed = :now where object_id = :object_id;

-- name: remove_principal
delete from principal where object_id = :object_id;

-- name: rights_state: what changes when a role or an assignment of one does
select count(*), max(changed)
from document
where type in ('microsoft.authorization/roleassignments', 'microsoft.authorization/roledefinitions');
