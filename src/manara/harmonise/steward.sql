-- What waits for a steward, beside the table that it waits for. Written for DuckDB and PostgreSQL alike.

-- name: create_task
-- How a table was harmonised: enough to read the waiting rows again.
CREATE TABLE IF NOT EXISTS steward_task (
  task VARCHAR(64) PRIMARY KEY,
  target_schema VARCHAR(200),
  target_table VARCHAR(200),
  columns TEXT,
  source_schema TEXT,
  noted VARCHAR(40)
);

-- name: create_queue
-- Every distinct value that was not matched, once.
CREATE TABLE IF NOT EXISTS steward_queue (
  item VARCHAR(16) PRIMARY KEY,
  list_name VARCHAR(200),
  parent VARCHAR(200),
  plain TEXT,
  value TEXT,
  kind VARCHAR(20),
  reason TEXT,
  candidates TEXT,
  rows_seen BIGINT,
  first_seen VARCHAR(40),
  last_seen VARCHAR(40),
  status VARCHAR(20)
);

-- name: create_waiting
-- Every row that waits, whole, with the items that it waits for.
CREATE TABLE IF NOT EXISTS steward_waiting (
  task VARCHAR(64),
  origin TEXT,
  row_number BIGINT,
  payload TEXT,
  items TEXT,
  run_id VARCHAR(64),
  noted VARCHAR(40),
  PRIMARY KEY (task, origin, row_number)
);

-- name: create_alias
-- What stewards have decided: the code that a value stands for, or nothing where it stands for none.
CREATE TABLE IF NOT EXISTS steward_alias (
  list_name VARCHAR(200),
  parent VARCHAR(200),
  plain TEXT,
  value TEXT,
  code TEXT,
  author VARCHAR(200),
  decided VARCHAR(40),
  note TEXT,
  PRIMARY KEY (list_name, parent, plain)
);

-- name: note_task
INSERT INTO steward_task (task, target_schema, target_table, columns, source_schema, noted)
VALUES ($task, $schema, $table, $columns, $fields, $noted)
ON CONFLICT (task) DO NOTHING;

-- name: tasks
SELECT task, target_schema, target_table, columns, source_schema FROM steward_task ORDER BY task;

-- name: note_item
INSERT INTO steward_queue (
  item, list_name, parent, plain, value, kind, reason, candidates, rows_seen, first_seen, last_seen, status)
VALUES ($item, $list, $parent, $plain, $value, $kind, $reason, $candidates, $rows, $noted, $noted, 'open')
ON CONFLICT (item) DO UPDATE SET
  reason = excluded.reason, candidates = excluded.candidates, rows_seen = excluded.rows_seen,
  last_seen = excluded.last_seen;

-- name: queue
SELECT queue.*, alias.code, alias.author, alias.decided, alias.note
FROM steward_queue AS queue
LEFT JOIN steward_alias AS alias
  ON alias.list_name = queue.list_name AND alias.parent = queue.parent AND alias.plain = queue.plain
ORDER BY queue.rows_seen DESC, queue.value;

-- name: set_status
UPDATE steward_queue SET status = $status WHERE item = $item;

-- name: aliases
SELECT list_name, parent, plain, value, code, author, decided, note FROM steward_alias ORDER BY decided, value;

-- name: note_alias
INSERT INTO steward_alias (list_name, parent, plain, value, code, author, decided, note)
VALUES ($list, $parent, $plain, $value, $code, $author, $noted, $note);

-- name: forget_alias
DELETE FROM steward_alias WHERE list_name = $list AND parent = $parent AND plain = $plain;

-- name: forget_waiting
DELETE FROM steward_waiting WHERE task = $task AND origin = $origin;

-- name: waiting_of_task
SELECT origin, row_number, payload, items, run_id FROM steward_waiting WHERE task = $task
ORDER BY origin, row_number;

-- name: waiting_count
SELECT count(*) AS n FROM steward_waiting;

-- name: leave_waiting
DELETE FROM steward_waiting WHERE task = $task AND origin = $origin AND row_number = $row;
