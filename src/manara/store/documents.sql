-- name: document
select path, type, parent, body, etag, created, changed from document where id = :id;

-- name: documents: what lies in a parent, of one type, by id
select path, type, parent, body, etag, created, changed
from document
where parent = :parent and type = :type and id > :after
order by id
limit :most;

-- name: documents_of_type: wherever they are, by id
select path, type, parent, body, etag, created, changed
from document
where type = :type and id > :after
order by id
limit :most;

-- name: documents_below: a resource and everything inside it, outer before inner
select path, type, parent, body, etag, created, changed
from document
where id = :id or (id >= :from_id and id < :to_id)
order by id;

-- name: document_state_below: what changes when anything inside a resource does
select count(*), max(changed) from document where id = :id or (id >= :from_id and id < :to_id);

-- name: document_state_of_type
select count(*), max(changed) from document where type = :type;

-- name: document_tags_below
select id, etag from document where id = :id or (id >= :from_id and id < :to_id) order by id;

-- name: put_document: only where it is still as it was read
insert into document (id, path, type, parent, body, etag, created, changed)
values (:id, :path, :type, :parent, :body, :etag, :now, :now)
on conflict (id) do update set body = excluded.body, etag = excluded.etag, changed = excluded.changed
    where document.etag = :old_etag;

-- name: delete_documents_below
delete from document where id = :id or (id >= :from_id and id < :to_id);

-- name: sealed_documents
select id, body from document;

-- name: seal_document: unless it has changed meanwhile
update document set body = :body where id = :id and body = :old;

-- name: sealed_snapshots
select hash, body from snapshot;

-- name: seal_snapshot
update snapshot set body = :body where hash = :hash and body = :old;
