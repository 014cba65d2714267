-- The facilities of the list.
select
    id as facility_id, code, name, facility_key as match_key, active as is_active, longitude, latitude, _origin, _row, _run
from facility
