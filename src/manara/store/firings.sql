-- name: trigger_state
select id, factory, state, since, mark from trigger_state where id = :id;

-- name: trigger_states
select id, factory, state, since, mark from trigger_state order by id;

-- name: set_trigger_state: the mark stays where none is given
insert into trigger_state (id, factory, state, since, mark) values (:id, :factory, :state, :since, :mark)
on conflict (id) do update set state = excluded.state, since = excluded.since, mark = excluded.mark;

-- name: keep_trigger_mark
update trigger_state set mark = :mark where id = :id;

-- name: forget_triggers_below
delete from trigger_state where id = :id or (id >= :from_id and id < :to_id);

-- name: part_firings_below: another trigger of the same name has moments of its own; these stay as they are
update firing set trigger_id = trigger_id || ' ' || :now
where trigger_id = :id or (trigger_id >= :from_id and trigger_id < :to_id);

-- name: fire: a moment of a trigger comes once
insert into firing
    (id, trigger_id, factory, trigger_name, trigger_type, moment, status, attempt, body, written, updated)
values
    (:id, :trigger_id, :factory, :trigger_name, :trigger_type, :moment, :status, :attempt, :body, :now, :now)
on conflict (trigger_id, moment) do nothing;

-- name: change_firing
update firing set status = :status, attempt = :attempt, body = :body, updated = :now where id = :id;

-- name: move_firing: only from where it stood, so that of two who move it one does
update firing set status = :status, attempt = :attempt, body = :body, updated = :now
where id = :id and status = :old_status and attempt = :old_attempt;

-- name: firing
select id, trigger_id, factory, trigger_name, trigger_type, moment, status, attempt, body, written, updated
from firing
where id = :id;

-- name: firing_at
select id, trigger_id, factory, trigger_name, trigger_type, moment, status, attempt, body, written, updated
from firing
where trigger_id = :trigger_id and moment = :moment;

-- name: firings_from: those of a trigger from a moment on, in the order of their moments
select id, trigger_id, factory, trigger_name, trigger_type, moment, status, attempt, body, written, updated
from firing
where trigger_id = :trigger_id and moment >= :moment
order by moment
limit :most;

-- name: firings_with_status: those of a trigger, in the order of their moments
select id, trigger_id, factory, trigger_name, trigger_type, moment, status, attempt, body, written, updated
from firing
where trigger_id = :trigger_id and status = :status
order by moment
limit :most;

-- name: newest_firing
select id, trigger_id, factory, trigger_name, trigger_type, moment, status, attempt, body, written, updated
from firing
where trigger_id = :trigger_id
order by moment desc
limit 1;
