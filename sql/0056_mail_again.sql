-- A person who has a job tried again knows what it may mean: a mail whose handing over broke off goes out once more, though it may be there already.
CREATE OR REPLACE FUNCTION job_retry(which uuid) RETURNS TABLE (kind text, account uuid, account_name text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN QUERY UPDATE job j SET state = 'waiting', run_at = now(), locked_until = NULL, attempts = 0, payload = j.payload - 'handed' WHERE j.id = which
		AND (j.state = 'failed' OR j.run_at > now()) RETURNING j.kind, j.tenant, (SELECT t.name FROM tenant t WHERE t.id = j.tenant);
	PERFORM pg_notify('keyward_job', '');
END
$$;
