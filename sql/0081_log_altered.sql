-- A log whose old entries were altered or are missing is not archived, and that is tried again less and less often (src/jobs/work.c). Its job alone says so:
-- it is not queued once more while it waits, and its payload has "altered", the reason, from when it was told.

-- Chains (nil: the installation's) whose job is queued, under way or waits for its next try.
CREATE FUNCTION audit_waiting() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT coalesce(j.tenant, '00000000-0000-0000-0000-000000000000') FROM job j WHERE j.kind = 'log' AND j.state = 'waiting' $$;
GRANT EXECUTE ON FUNCTION audit_waiting() TO keyward_jobs;

-- For the page of the installation's health: the accounts (null: the installation).
CREATE FUNCTION audit_altered() RETURNS TABLE (name text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT t.name FROM job j LEFT JOIN tenant t ON t.id = j.tenant WHERE j.kind = 'log' AND j.state = 'waiting' AND j.payload ? 'altered' ORDER BY 1 $$;
GRANT EXECUTE ON FUNCTION audit_altered() TO keyward_central, keyward_jobs;

-- As in sql/0063, but for those that wait.
CREATE OR REPLACE FUNCTION audit_due(every interval, older timestamptz, far json) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT h.tenant FROM audit_head h LEFT JOIN LATERAL (SELECT c.seq, c.at FROM audit_checkpoint c WHERE c.tenant = h.tenant ORDER BY c.seq DESC
		LIMIT 1) c ON true
	LEFT JOIN LATERAL (SELECT max(a.last) AS last FROM audit_archive a WHERE a.tenant = h.tenant) a ON true
	LEFT JOIN json_to_recordset(far) AS f (tenant uuid, last bigint) ON f.tenant = h.tenant
	WHERE h.tenant NOT IN (SELECT audit_waiting()) AND ((h.seq > coalesce(c.seq, 0) AND coalesce(c.at <= now() - every, true))
		OR EXISTS (SELECT 1 FROM audit_archive x WHERE x.tenant = h.tenant AND x.removed IS NULL AND x.expires <= now())
		OR CASE WHEN far IS NULL THEN EXISTS (SELECT 1 FROM audit_entry e WHERE e.tenant = h.tenant AND e.at < older AND e.seq > coalesce(a.last, 0))
			ELSE f.last > coalesce(a.last, 0) END)
$$;
