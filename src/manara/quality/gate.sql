-- What the gate notes about a source, in DuckDB's SQL; statements.py fills in what stands in braces, and a warehouse on
-- PostgreSQL gets it translated. __gate_judged and its kin are the gate's own for a while (see tables.py).

-- name: create_quarantine
-- Refused rows, each whole, with what refused it.
CREATE TABLE IF NOT EXISTS {house}.quarantine (
  quarantine_id VARCHAR PRIMARY KEY,
  contract VARCHAR,
  contract_version VARCHAR,
  origin VARCHAR,
  row_number BIGINT,
  rules VARCHAR[],
  reasons VARCHAR[],
  payload JSON,
  run_id VARCHAR,
  step VARCHAR,
  noted TIMESTAMPTZ,
  status VARCHAR
);

-- name: create_quality_finding
-- Every violated rule of every row, warnings too.
CREATE TABLE IF NOT EXISTS {house}.quality_finding (
  contract VARCHAR,
  origin VARCHAR,
  row_number BIGINT,
  rule VARCHAR,
  dimension VARCHAR,
  severity VARCHAR,
  reason VARCHAR,
  run_id VARCHAR,
  noted TIMESTAMPTZ
);

-- name: create_quarantine_fix
-- What people have decided on refused rows: corrections beside the original, kept for as long as the row comes again
-- as it was. `payload_hash` is that of the row that they saw.
CREATE TABLE IF NOT EXISTS {house}.quarantine_fix (
  quarantine_id VARCHAR PRIMARY KEY,
  contract VARCHAR,
  origin VARCHAR,
  row_number BIGINT,
  payload_hash VARCHAR,
  fix JSON,
  author VARCHAR,
  noted TIMESTAMPTZ,
  note VARCHAR,
  approved_by VARCHAR,
  released BOOLEAN
);

-- name: create_quarantine_event
-- Who did what with a refused row; never changed.
CREATE TABLE IF NOT EXISTS {house}.quarantine_event (
  quarantine_id VARCHAR,
  noted TIMESTAMPTZ,
  author VARCHAR,
  action VARCHAR,
  note VARCHAR
);

-- name: create_gate_target
-- Into which table the gate loads the good rows of a contract.
CREATE TABLE IF NOT EXISTS {house}.gate_target (
  contract VARCHAR PRIMARY KEY,
  schema_name VARCHAR,
  table_name VARCHAR
);

-- name: note_target
INSERT INTO {house}.gate_target VALUES ($contract, $schema, $table)
ON CONFLICT (contract) DO UPDATE SET schema_name = excluded.schema_name, table_name = excluded.table_name;

-- name: released_fixes
-- The corrections that hold for the rows of a file, with the row that they were made for.
SELECT row_number, payload_hash, CAST(fix AS VARCHAR) AS fix FROM {house}.quarantine_fix
WHERE contract = $contract AND origin = $origin AND released
ORDER BY row_number;

-- name: resolve_quarantine
-- Rows of the origin that are not refused any more stay, and say so.
UPDATE {house}.quarantine SET status = 'resolved', run_id = $run, step = $step, noted = CAST($noted AS TIMESTAMPTZ)
WHERE contract = $contract AND origin = $origin AND status IN ('open', 'fixed', 'rejected')
  AND row_number NOT IN (SELECT __row FROM __gate_judged WHERE refused);

-- name: refused_rows
-- The refused rows as quarantine keeps them; run where they were judged.
CREATE TEMPORARY VIEW __gate_refused AS
SELECT
  left(sha256(concat_ws(chr(31), {contract}, {origin}, judged.__row)), 32) AS quarantine_id,
  judged.__row,
  list_transform(list_filter(judged.faults, lambda fault: fault.severity = 'error'), lambda fault: fault.rule) AS rules,
  list_transform(list_filter(judged.faults, lambda fault: fault.severity = 'error'), lambda fault: fault.reason) AS reasons,
  {payload} AS payload
FROM __gate_judged AS judged
JOIN __gate_source AS source ON source.__row = judged.__row
WHERE judged.refused;

-- name: judged_rows
-- All rows with their values and what was found, for an engine that takes them on; run where they were judged.
SELECT
  {columns}, coalesce(judged.refused, false) AS __refused, judged.faults AS __faults,
  CASE WHEN judged.refused THEN CAST({payload} AS VARCHAR) END AS __payload
FROM __gate_values AS typed
JOIN __gate_source AS source ON source.__row = typed.__row
LEFT JOIN __gate_judged AS judged ON judged.__row = typed.__row;

-- name: found_faults
-- Each fault of each row; run where they were judged.
CREATE TEMPORARY VIEW __gate_findings AS
SELECT
  found.__row, found.fault.rule AS rule, found.fault.dimension AS dimension, found.fault.severity AS severity,
  found.fault.reason AS reason
FROM (SELECT __row, unnest(faults) AS fault FROM __gate_judged) AS found;

-- name: count_held
-- Rows of the origin that quarantine has, whatever became of them.
SELECT count(*) AS rows FROM {house}.quarantine WHERE contract = $contract AND origin = $origin;

-- name: insert_quarantine
-- For an origin of which quarantine holds no row.
INSERT INTO {house}.quarantine
SELECT
  quarantine_id, $contract, $version, $origin, __row, rules, reasons, CAST(payload AS JSON), $run, $step,
  CAST($noted AS TIMESTAMPTZ), 'open'
FROM __gate_refused;

-- name: renew_quarantine
INSERT INTO {house}.quarantine AS held
SELECT
  quarantine_id, $contract, $version, $origin, __row, rules, reasons, CAST(payload AS JSON), $run, $step,
  CAST($noted AS TIMESTAMPTZ), 'open'
FROM __gate_refused
ON CONFLICT (quarantine_id) DO UPDATE SET
  contract_version = excluded.contract_version,
  rules = excluded.rules,
  reasons = excluded.reasons,
  payload = excluded.payload,
  run_id = excluded.run_id,
  step = excluded.step,
  noted = excluded.noted,
  status = CASE
    WHEN held.status IN ('rejected', 'fixed')
      AND CAST(held.payload AS VARCHAR) = CAST(excluded.payload AS VARCHAR) THEN held.status
    ELSE excluded.status
  END;

-- name: forget_findings
DELETE FROM {house}.quality_finding WHERE contract = $contract AND origin = $origin;

-- name: insert_findings
INSERT INTO {house}.quality_finding
SELECT $contract, $origin, __row, rule, dimension, severity, reason, $run, CAST($noted AS TIMESTAMPTZ)
FROM __gate_findings
ORDER BY __row;

-- name: count_changes
-- How many rows of known keys were updated and unchanged.
SELECT change, count(*) AS rows FROM __gate_known GROUP BY change;

-- name: count_flagged
-- Rows that load in spite of a warning.
SELECT count(*) AS rows FROM __gate_judged WHERE NOT refused;

-- name: count_quarantined
SELECT count(*) AS rows FROM {house}.quarantine
WHERE contract = $contract AND origin = $origin AND status IN ('open', 'fixed', 'rejected');

-- name: count_findings
SELECT rule, count(*) AS rows
FROM {house}.quality_finding
WHERE contract = $contract AND origin = $origin
GROUP BY rule
ORDER BY rule;

-- name: create_quality_score
-- How good each load was, by dimension; the dimension `all` is the mean of the others. Kept as history.
CREATE TABLE IF NOT EXISTS {house}.quality_score (
  contract VARCHAR,
  contract_version VARCHAR,
  table_name VARCHAR,
  origin VARCHAR,
  run_id VARCHAR,
  noted TIMESTAMPTZ,
  dimension VARCHAR,
  rows_checked BIGINT,
  rows_broken BIGINT,
  score DOUBLE
);

-- name: create_quality_check
-- What was measured of each load, and whether it was as the contract says. Kept as history.
CREATE TABLE IF NOT EXISTS {house}.quality_check (
  contract VARCHAR,
  table_name VARCHAR,
  origin VARCHAR,
  run_id VARCHAR,
  noted TIMESTAMPTZ,
  name VARCHAR,
  dimension VARCHAR,
  severity VARCHAR,
  value DOUBLE,
  holds BOOLEAN,
  reason VARCHAR
);

-- name: note_score
INSERT INTO {house}.quality_score
VALUES ($contract, $version, $table, $origin, $run, CAST($noted AS TIMESTAMPTZ), $dimension, $checked, $broken, $score);

-- name: note_check
INSERT INTO {house}.quality_check
VALUES ($contract, $table, $origin, $run, CAST($noted AS TIMESTAMPTZ), $name, $dimension, $severity, $value, $holds,
  $reason);

-- name: create_quality_metric
-- The numbers by which each load of a table is known, for what is unusual.
CREATE TABLE IF NOT EXISTS {house}.quality_metric (
  contract VARCHAR,
  origin VARCHAR,
  run_id VARCHAR,
  noted TIMESTAMPTZ,
  name VARCHAR,
  value DOUBLE
);

-- name: past_metrics
-- The numbers of the other files of the contract, the newest load of each.
SELECT name, value, CAST(noted AS TIMESTAMP) AS noted FROM {house}.quality_metric
WHERE contract = $contract AND origin <> $origin
QUALIFY row_number() OVER (PARTITION BY origin, name ORDER BY noted DESC) = 1;

-- name: note_metric
INSERT INTO {house}.quality_metric VALUES ($contract, $origin, $run, CAST($noted AS TIMESTAMPTZ), $name, $value);
