-- Mail: test mails of the operator, how far each tenant's log was turned into mails, what waits to be sent. The mails themselves are
-- jobs of kind "mail" (sql/0007).

CREATE TABLE mail_test (
	id uuid PRIMARY KEY,
	recipient text NOT NULL CHECK (length(recipient) BETWEEN 3 AND 254),
	requested timestamptz NOT NULL DEFAULT now(),
	requested_by text,
	finished timestamptz,
	error text                              -- null once finished: it was taken by the mail server
);
CREATE INDEX mail_test_requested ON mail_test (requested);
GRANT SELECT, INSERT, DELETE ON mail_test TO keyward_central;
GRANT SELECT (id, finished), UPDATE (finished, error) ON mail_test TO keyward_jobs;

-- Definer: the operator sees how many mails wait and why, not whose they are.
CREATE FUNCTION mail_queue() RETURNS TABLE (waiting bigint, failed bigint, oldest timestamptz, last_error text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'failed'),
		min(created) FILTER (WHERE state = 'waiting'),
		(SELECT j.last_error FROM job j WHERE j.kind = 'mail' AND j.last_error IS NOT NULL ORDER BY j.run_at DESC LIMIT 1)
	FROM job WHERE kind = 'mail'
$$;
GRANT EXECUTE ON FUNCTION mail_queue() TO keyward_central;

-- The entry of a tenant's log up to which people have been told.
CREATE TABLE notice_cursor (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	seq bigint NOT NULL
);
SELECT isolate('notice_cursor');
GRANT SELECT, INSERT, UPDATE (seq) ON notice_cursor TO keyward_jobs;
-- Tenants whose log has entries after that. Definer: jobd asks before it binds to one.
CREATE POLICY notice_owner ON notice_cursor FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION notice_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT h.tenant FROM audit_head h LEFT JOIN notice_cursor c ON c.tenant = h.tenant
		WHERE h.tenant <> '00000000-0000-0000-0000-000000000000' AND h.seq > coalesce(c.seq, 0)
$$;
GRANT EXECUTE ON FUNCTION notice_tenants() TO keyward_jobs;
