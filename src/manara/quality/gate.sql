-- What the gate notes about a source. `quarantine` and `quality_finding` stand for the tables of the factory,
-- __gate_judged and __gate_source for the gate's temporary ones (see compile.py).

-- name: create_quarantine
-- Refused rows, each whole, with what refused it.
CREATE TABLE IF NOT EXISTS quarantine (
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
CREATE TABLE IF NOT EXISTS quality_finding (
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

-- name: forget_quarantine
-- Rows of the origin that are not refused any more. Those that still are get renewed: DuckDB does not let a key be
-- deleted and inserted again in one transaction.
DELETE FROM quarantine
WHERE contract = $contract AND origin = $origin
  AND row_number NOT IN (SELECT __row FROM __gate_judged WHERE refused);

-- name: insert_quarantine
INSERT INTO quarantine
SELECT
  left(sha256(concat_ws(chr(31), $contract, $origin, judged.__row)), 32),
  $contract,
  $version,
  $origin,
  judged.__row,
  list_transform(list_filter(judged.faults, fault -> fault.severity = 'error'), fault -> fault.rule),
  list_transform(list_filter(judged.faults, fault -> fault.severity = 'error'), fault -> fault.reason),
  $payload,
  $run,
  $step,
  CAST($noted AS TIMESTAMPTZ),
  'open'
FROM __gate_judged AS judged
JOIN __gate_source AS source ON source.__row = judged.__row
WHERE judged.refused
ON CONFLICT (quarantine_id) DO UPDATE SET
  contract_version = excluded.contract_version,
  rules = excluded.rules,
  reasons = excluded.reasons,
  payload = excluded.payload,
  run_id = excluded.run_id,
  step = excluded.step,
  noted = excluded.noted,
  status = excluded.status;

-- name: forget_findings
DELETE FROM quality_finding WHERE contract = $contract AND origin = $origin;

-- name: insert_findings
INSERT INTO quality_finding
SELECT
  $contract, $origin, found.__row, found.fault.rule, found.fault.dimension, found.fault.severity, found.fault.reason,
  $run, CAST($noted AS TIMESTAMPTZ)
FROM (SELECT __row, unnest(faults) AS fault FROM __gate_judged) AS found
ORDER BY found.__row;

-- name: count_changes
-- How many rows were inserted, updated and unchanged.
SELECT change, count(*) AS rows FROM __gate_good GROUP BY change;

-- name: count_flagged
-- Rows that load in spite of a warning.
SELECT count(*) AS rows FROM __gate_judged WHERE NOT refused;

-- name: count_quarantined
SELECT count(*) AS rows FROM quarantine WHERE contract = $contract AND origin = $origin;

-- name: count_findings
SELECT rule, count(*) AS rows
FROM quality_finding
WHERE contract = $contract AND origin = $origin
GROUP BY rule
ORDER BY rule;

-- name: drop_source
DROP TABLE IF EXISTS temp.__gate_source;

-- name: drop_values
DROP TABLE IF EXISTS temp.__gate_values;

-- name: drop_judged
DROP TABLE IF EXISTS temp.__gate_judged;

-- name: drop_good
DROP TABLE IF EXISTS temp.__gate_good;
