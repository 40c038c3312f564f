-- Jobs by turns: the oldest of an account that has none under way comes before older ones of an account that has. So who has thousands of them, or one whose
-- peer takes its time, delays nobody else's by more than one of them takes.

CREATE INDEX job_under_way ON job (locked_until) INCLUDE (tenant, run_at) WHERE state = 'waiting' AND locked_until IS NOT NULL;

CREATE OR REPLACE FUNCTION job_take(lease interval, leave text[] DEFAULT '{}') RETURNS TABLE (id uuid, tenant uuid, kind text, payload jsonb, attempts int)
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
		AND (c.locked_until IS NULL OR c.locked_until < now()) AND (c.tenant IS NULL OR c.tenant <> ALL (busy))
		ORDER BY c.run_at, c.id FOR UPDATE SKIP LOCKED LIMIT 1;
	IF NOT FOUND AND busy <> '{}' THEN
		SELECT c.id INTO taken FROM job c WHERE c.state = 'waiting' AND c.run_at <= now() AND c.kind <> ALL (coalesce(leave, '{}'))
			AND (c.locked_until IS NULL OR c.locked_until < now()) ORDER BY c.run_at, c.id FOR UPDATE SKIP LOCKED LIMIT 1;
	END IF;
	RETURN QUERY UPDATE job j SET locked_until = now() + lease, attempts = j.attempts + 1 WHERE j.id = taken
		RETURNING j.id, j.tenant, j.kind, j.payload, j.attempts;
END
$$;
