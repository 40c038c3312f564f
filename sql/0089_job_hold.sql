-- A job that waits stands for another of its kind and key that is wanted now: it is not taken before what it is to find has been committed.
-- Definer: nobody but jobd may see the queue, and locking takes a right to change.
CREATE FUNCTION job_hold(held_kind text, held_key text, held_away boolean) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT 1 FROM job j WHERE j.tenant IS NOT DISTINCT FROM nullif(current_setting('keyward.tenant', true), '')::uuid AND j.kind = held_kind
	AND j.unique_key = held_key AND j.away = held_away AND j.state = 'waiting' AND j.locked_until IS NULL FOR SHARE $$;
GRANT EXECUTE ON FUNCTION job_hold(text, text, boolean) TO keyward_central, keyward_console, keyward_agent, keyward_jobs;
