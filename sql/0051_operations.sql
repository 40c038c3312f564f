-- What the operator sees and does of the queue (ADM-2): never a payload, of an account its name alone; certificates that people were told of.

-- A view with its owner's rights, so that lists of it use the table's indexes. Addresses of people that a mail server repeats in its refusal are left out.
CREATE VIEW job_seen AS SELECT j.id, j.tenant AS account, coalesce(t.name, '') AS account_name, j.kind, j.attempts, j.created, j.run_at, j.locked_until,
	CASE WHEN j.state = 'failed' THEN 'failed'
		WHEN j.locked_until > now() AND j.run_at <= now() THEN 'running'
		WHEN j.run_at > now() AND j.attempts > 0 THEN 'again'
		WHEN j.run_at > now() THEN 'later'
		ELSE 'waiting' END AS state,
	regexp_replace(coalesce(j.last_error, ''), '[^[:space:]<>@"'']+@[^[:space:]<>@"'']+', '(an address)', 'g') AS last_error
	FROM job j LEFT JOIN tenant t ON t.id = j.tenant;
GRANT SELECT ON job_seen TO keyward_central;
CREATE INDEX job_created ON job (created DESC, id DESC);

-- One that was given up, or waits for a later time, is tried now, as often as at first. Definer, both: nothing of it but this is changed. Nothing comes
-- back when it is neither any more.
CREATE FUNCTION job_retry(which uuid) RETURNS TABLE (kind text, account uuid, account_name text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN QUERY UPDATE job j SET state = 'waiting', run_at = now(), locked_until = NULL, attempts = 0 WHERE j.id = which
		AND (j.state = 'failed' OR j.run_at > now()) RETURNING j.kind, j.tenant, (SELECT t.name FROM tenant t WHERE t.id = j.tenant);
	PERFORM pg_notify('keyward_job', '');
END
$$;
-- Gone for good; what runs is not touched.
CREATE FUNCTION job_drop(which uuid) RETURNS TABLE (kind text, account uuid, account_name text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	DELETE FROM job j WHERE j.id = which AND (j.state = 'failed' OR j.run_at > now() OR j.locked_until IS NULL OR j.locked_until <= now())
		RETURNING j.kind, j.tenant, (SELECT t.name FROM tenant t WHERE t.id = j.tenant)
$$;
GRANT EXECUTE ON FUNCTION job_retry(uuid), job_drop(uuid) TO keyward_central;

-- How near to its end a certificate was when operators were told last; by SHA-256 of it.
CREATE TABLE certificate_told (
	fingerprint text PRIMARY KEY CHECK (length(fingerprint) = 64),
	level int NOT NULL,                     -- days that were left, of the thresholds
	at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON certificate_told TO keyward_central;
GRANT SELECT, INSERT, UPDATE, DELETE ON certificate_told TO keyward_jobs;
-- Certificates that stand in settings, for jobd to look at: public all of them.
CREATE FUNCTION certificates_set() RETURNS TABLE (place text, pem text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT 'saml', s.certificate FROM operator_saml s WHERE s.certificate IS NOT NULL
	UNION ALL SELECT 'key-server', k.certificate FROM installation_key_server k
	UNION ALL SELECT 'key-server-ca', k.ca FROM installation_key_server k
	UNION ALL SELECT 'mail-ca', s.value ->> 'ca' FROM setting s WHERE s.name = 'mail.server' AND s.value ->> 'ca' <> ''
$$;
-- Whom they go to. Definer: jobd learns addresses and nothing else of operators.
CREATE FUNCTION system_operators() RETURNS TABLE (email text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT o.email FROM operator_user o WHERE o.state = 'active' AND o.role IN ('msp-administrator', 'system-operator') ORDER BY o.email $$;
GRANT EXECUTE ON FUNCTION certificates_set() TO keyward_central, keyward_jobs;
GRANT EXECUTE ON FUNCTION system_operators() TO keyward_jobs;

-- Key requests of all accounts per day, in UTC, for the operator's overview. Definer: numbers of the whole installation, of no account.
CREATE POLICY request_count_owner ON request_count FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION installation_requests(days int) RETURNS TABLE (day text, by_policy bigint, by_person bigint, denied bigint, pending bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	WITH counted AS (
		SELECT c.at, c.by_policy, c.by_person, c.denied, c.pending FROM request_count c WHERE c.at >= date_trunc('day', now(), 'UTC') - (days - 1) * interval '1 day'
		UNION ALL SELECT c.at, c.by_policy, c.by_person, c.denied, c.pending FROM request_count_change c
			WHERE c.at >= date_trunc('day', now(), 'UTC') - (days - 1) * interval '1 day')
	SELECT to_char(d AT TIME ZONE 'UTC', 'YYYY-MM-DD'), greatest(0, coalesce(sum(c.by_policy), 0))::bigint, greatest(0, coalesce(sum(c.by_person), 0))::bigint,
		greatest(0, coalesce(sum(c.denied), 0))::bigint, greatest(0, coalesce(sum(c.pending), 0))::bigint
	FROM generate_series(date_trunc('day', now(), 'UTC') - (days - 1) * interval '1 day', date_trunc('day', now(), 'UTC'), interval '1 day') AS d
		LEFT JOIN counted c ON c.at >= d AND c.at < d + interval '1 day'
	GROUP BY d ORDER BY d
$$;
CREATE INDEX request_count_at ON request_count (at);
GRANT EXECUTE ON FUNCTION installation_requests(int) TO keyward_central;
