-- The log on its way to somebody else's log system (LOG-4). As for the log itself the nil UUID stands for the installation.

CREATE TABLE log_forward (
	tenant uuid PRIMARY KEY,
	host text NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
	port int NOT NULL CHECK (port BETWEEN 1 AND 65535),
	ca text NOT NULL CHECK (length(ca) <= 12288),   -- empty: the system's authorities
	format text NOT NULL CHECK (format IN ('syslog', 'cef', 'json')),
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text,
	version int NOT NULL DEFAULT 1,          -- of these settings: what was sent by former ones counts for nothing
	seq bigint NOT NULL,                     -- of the last entry that the receiver has
	test boolean NOT NULL DEFAULT true,      -- a message is to be sent even if there is no entry
	next_try timestamptz NOT NULL DEFAULT now(),
	sent timestamptz,                        -- when it was last reached
	away_since timestamptz,
	failures int NOT NULL DEFAULT 0,         -- in a row
	error text
);
SELECT isolate('log_forward');
GRANT SELECT, INSERT, UPDATE, DELETE ON log_forward TO keyward_central, keyward_console;
GRANT SELECT, UPDATE (seq, test, next_try, sent, away_since, failures, error) ON log_forward TO keyward_jobs;

-- The same as for audit_entry and what belongs to it.
DO $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
	EXECUTE format('CREATE POLICY audit_installation ON log_forward TO keyward_central USING (tenant = %L) WITH CHECK (tenant = %L)', nil, nil);
	EXECUTE format('CREATE POLICY audit_operator ON log_forward AS RESTRICTIVE TO keyward_central USING (tenant = %L)', nil);
	EXECUTE format('CREATE POLICY audit_tenant ON log_forward AS RESTRICTIVE TO keyward_console USING (tenant <> %L)', nil);
	EXECUTE format('CREATE POLICY audit_jobs ON log_forward TO keyward_jobs USING (tenant = %L AND nullif(current_setting(''keyward.tenant'', true), '
		''''') IS NULL)', nil);
	EXECUTE format('CREATE POLICY audit_bound ON log_forward AS RESTRICTIVE TO keyward_jobs USING (tenant <> %L OR nullif(current_setting('
		'''keyward.tenant'', true), '''') IS NULL)', nil);
END
$$;
CREATE POLICY log_forward_owner ON log_forward FOR SELECT TO keyward_owner USING (true);

-- Chains of which something is to be sent now.
CREATE FUNCTION log_forward_due() RETURNS TABLE (id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT f.tenant FROM log_forward f LEFT JOIN audit_head h ON h.tenant = f.tenant
	WHERE f.next_try <= now() AND (f.test OR coalesce(h.seq, 0) > f.seq) $$;
GRANT EXECUTE ON FUNCTION log_forward_due() TO keyward_jobs;
