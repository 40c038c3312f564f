-- The queue: what is slow or timed. Any number of jobd take from it.

CREATE TABLE job (
	id uuid PRIMARY KEY,
	tenant uuid,                            -- null: of the installation
	kind text NOT NULL CHECK (length(kind) BETWEEN 1 AND 100),
	payload jsonb NOT NULL DEFAULT '{}',
	unique_key text,                        -- at most one waiting job of this kind and key per tenant
	state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'failed')),
	run_at timestamptz NOT NULL DEFAULT now(),
	attempts int NOT NULL DEFAULT 0,
	locked_until timestamptz,
	last_error text,
	created timestamptz NOT NULL DEFAULT now()
);
-- Whoever is bound to a tenant adds jobs for that tenant and sees none of another's; who is bound to none, the installation's.
-- Only the functions below, which belong to the owner, see all.
ALTER TABLE job ENABLE ROW LEVEL SECURITY;
ALTER TABLE job FORCE ROW LEVEL SECURITY;
CREATE POLICY job_tenant ON job TO keyward_central, keyward_console, keyward_agent, keyward_jobs
	USING (tenant IS NOT DISTINCT FROM nullif(current_setting('keyward.tenant', true), '')::uuid)
	WITH CHECK (tenant IS NOT DISTINCT FROM nullif(current_setting('keyward.tenant', true), '')::uuid);
CREATE POLICY job_bound ON job AS RESTRICTIVE TO keyward_console, keyward_agent
	USING (tenant IS NOT NULL) WITH CHECK (tenant IS NOT NULL);
-- The operator queues for the installation only, whatever it binds to.
CREATE POLICY job_operator ON job AS RESTRICTIVE TO keyward_central USING (tenant IS NULL) WITH CHECK (tenant IS NULL);
CREATE POLICY job_owner ON job TO keyward_owner USING (true) WITH CHECK (true);
CREATE INDEX job_due ON job (run_at, id) WHERE state = 'waiting';
CREATE UNIQUE INDEX job_unique ON job (coalesce(tenant, '00000000-0000-0000-0000-000000000000'), kind, unique_key)
	WHERE state = 'waiting' AND unique_key IS NOT NULL AND locked_until IS NULL;
GRANT INSERT ON job TO keyward_console, keyward_agent, keyward_jobs;
GRANT SELECT, INSERT ON job TO keyward_central;

CREATE FUNCTION job_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('keyward_job', '');
	RETURN NULL;
END
$$;
CREATE TRIGGER job_notify AFTER INSERT ON job FOR EACH STATEMENT EXECUTE FUNCTION job_notify();

-- Definer, all four: jobd takes work before it knows whose it is, and then binds to that tenant. A job that is taken but neither
-- finished nor failed when its lease ends is taken again.
-- LEAVE: a kind that is left to others; null: none.
CREATE FUNCTION job_take(lease interval, leave text DEFAULT NULL) RETURNS TABLE (id uuid, tenant uuid, kind text, payload jsonb, attempts int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	UPDATE job j SET locked_until = now() + lease, attempts = j.attempts + 1
	WHERE j.id = (SELECT c.id FROM job c WHERE c.state = 'waiting' AND c.run_at <= now() AND c.kind IS DISTINCT FROM leave
		AND (c.locked_until IS NULL OR c.locked_until < now()) ORDER BY c.run_at, c.id FOR UPDATE SKIP LOCKED LIMIT 1)
	RETURNING j.id, j.tenant, j.kind, j.payload, j.attempts
$$;
CREATE FUNCTION job_finish(done uuid) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ WITH d AS (DELETE FROM job WHERE id = done RETURNING 1) SELECT EXISTS (SELECT 1 FROM d) $$;
-- RETRY null: given up.
CREATE FUNCTION job_fail(failed uuid, error text, retry timestamptz) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	WITH u AS (UPDATE job SET last_error = error, state = CASE WHEN retry IS NULL THEN 'failed' ELSE 'waiting' END,
		run_at = coalesce(retry, run_at), locked_until = CASE WHEN retry IS NULL THEN NULL ELSE retry END
		WHERE id = failed RETURNING 1)
	SELECT EXISTS (SELECT 1 FROM u)
$$;
-- When the next job is due; null when there is none.
CREATE FUNCTION job_next() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT min(greatest(run_at, coalesce(locked_until, run_at))) FROM job WHERE state = 'waiting' $$;
GRANT EXECUTE ON FUNCTION job_take(interval, text), job_finish(uuid), job_fail(uuid, text, timestamptz), job_next() TO keyward_jobs;
