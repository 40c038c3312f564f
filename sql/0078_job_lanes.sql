-- Jobs whose peer did not answer last time: threads that leave them to others have time for peers that may answer.

ALTER TABLE job ADD COLUMN away boolean NOT NULL DEFAULT false;
-- One that waits behind others that are away is in the way of none that is wanted now.
DROP INDEX job_unique;
CREATE UNIQUE INDEX job_unique ON job (coalesce(tenant, '00000000-0000-0000-0000-000000000000'), kind, unique_key, away)
	WHERE state = 'waiting' AND unique_key IS NOT NULL AND locked_until IS NULL;

-- LEAVE: kinds that are left to others. WITH_AWAY: also jobs whose peer was away, by what they were added with or by a try of their own.
DROP FUNCTION job_take(interval, text[]);
CREATE FUNCTION job_take(lease interval, leave text[] DEFAULT '{}', with_away boolean DEFAULT true)
RETURNS TABLE (id uuid, tenant uuid, kind text, payload jsonb, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	-- One that failed waits for its next try under a lock, too: it is not under way before that.
	busy CONSTANT uuid[] := ARRAY(SELECT DISTINCT b.tenant FROM job b WHERE b.state = 'waiting' AND b.locked_until > now() AND b.run_at <= now()
		AND b.tenant IS NOT NULL);
	taken uuid;
BEGIN
	SELECT c.id INTO taken FROM job c WHERE c.state = 'waiting' AND c.run_at <= now() AND c.kind <> ALL (coalesce(leave, '{}'))
		AND (with_away OR NOT (c.away OR c.attempts > 0))
		AND (c.locked_until IS NULL OR c.locked_until < now()) AND (c.tenant IS NULL OR c.tenant <> ALL (busy))
		ORDER BY c.run_at, c.id FOR UPDATE SKIP LOCKED LIMIT 1;
	IF NOT FOUND AND busy <> '{}' THEN
		SELECT c.id INTO taken FROM job c WHERE c.state = 'waiting' AND c.run_at <= now() AND c.kind <> ALL (coalesce(leave, '{}'))
			AND (with_away OR NOT (c.away OR c.attempts > 0))
			AND (c.locked_until IS NULL OR c.locked_until < now()) ORDER BY c.run_at, c.id FOR UPDATE SKIP LOCKED LIMIT 1;
	END IF;
	RETURN QUERY UPDATE job j SET locked_until = now() + lease, attempts = j.attempts + 1 WHERE j.id = taken
		RETURNING j.id, j.tenant, j.kind, j.payload, j.attempts;
END
$$;
GRANT EXECUTE ON FUNCTION job_take(interval, text[], boolean) TO keyward_jobs;

-- Of those that job_take would give; not before one of them is.
DROP FUNCTION job_next();
CREATE FUNCTION job_next(leave text[] DEFAULT '{}', with_away boolean DEFAULT true) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT min(greatest(c.run_at, coalesce(c.locked_until, c.run_at))) FROM job c WHERE c.state = 'waiting'
	AND c.kind <> ALL (coalesce(leave, '{}')) AND (with_away OR NOT (c.away OR c.attempts > 0)) $$;
GRANT EXECUTE ON FUNCTION job_next(text[], boolean) TO keyward_jobs;
