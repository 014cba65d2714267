-- name: last_audit
select seq, hash from audit order by seq desc limit 1;

-- name: append_audit: only where nobody has taken the number
insert into audit (seq, at, body, hash) values (:seq, :at, :body, :hash) on conflict (seq) do nothing;

-- name: audit
select seq, at, body, hash from audit where seq > :after order by seq limit :most;
