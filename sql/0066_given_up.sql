-- Mails, deliveries of webhooks and jobs that were given up (dead letters): operators are told of them as long as there are more, at most daily.
CREATE TABLE given_up (
	area text NOT NULL,
	name text NOT NULL,                      -- a row of the installation's health (src/health/judge.c)
	count bigint NOT NULL,
	told bigint NOT NULL DEFAULT 0,          -- of them, the operators know of these
	told_at timestamptz,
	PRIMARY KEY (area, name)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON given_up TO keyward_jobs;

-- Of the last day, of all accounts, without tests; a number, no more (TEN-3).
CREATE INDEX webhook_delivery_failed ON webhook_delivery (tried) WHERE state = 'failed' AND NOT is_test;
CREATE POLICY webhook_delivery_owner ON webhook_delivery FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION webhook_given_up() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT count(*) FROM webhook_delivery d WHERE d.state = 'failed' AND NOT d.is_test AND d.tried > now() - interval '1 day' $$;
GRANT EXECUTE ON FUNCTION webhook_given_up() TO keyward_central, keyward_jobs;
