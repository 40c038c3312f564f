-- What people are told (NTF): events of the logs as notices, what each person has read of them, groups of recipients, webhooks.

-- Whose notices: the account's, or, bound to none, the installation's.
CREATE FUNCTION notice_scope() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(nullif(current_setting('keyward.tenant', true), '')::uuid, '00000000-0000-0000-0000-000000000000') $$;
-- Who reads: set by the page in its transaction.
CREATE FUNCTION notice_person() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('keyward.person', true), '')::uuid $$;
GRANT EXECUTE ON FUNCTION notice_scope(), notice_person() TO keyward_central, keyward_console, keyward_jobs;

CREATE FUNCTION isolate_notice(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM isolate(target);
	-- The installation's rows are the operator's and jobd's, bound to none; nobody gets at them by binding to the nil UUID.
	EXECUTE format('CREATE POLICY installation ON %s TO keyward_central, keyward_jobs'
		' USING (tenant = ''00000000-0000-0000-0000-000000000000'' AND current_tenant() IS NULL)'
		' WITH CHECK (tenant = ''00000000-0000-0000-0000-000000000000'' AND current_tenant() IS NULL)', target);
	EXECUTE format('CREATE POLICY bound ON %s AS RESTRICTIVE TO keyward_console, keyward_agent'
		' USING (tenant <> ''00000000-0000-0000-0000-000000000000'')'
		' WITH CHECK (tenant <> ''00000000-0000-0000-0000-000000000000'')', target);
	-- The operator sees nothing of a tenant's, whatever it binds to (TEN-3).
	EXECUTE format('CREATE POLICY operator ON %s AS RESTRICTIVE TO keyward_central'
		' USING (tenant = ''00000000-0000-0000-0000-000000000000'')'
		' WITH CHECK (tenant = ''00000000-0000-0000-0000-000000000000'')', target);
END
$$;

CREATE TABLE notice (
	tenant uuid NOT NULL,                   -- nil: the installation's
	seq bigint NOT NULL,                    -- of the log's entry
	at timestamptz NOT NULL,
	events text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 8),     -- names of src/notice/event.h, the most particular first
	severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
	object_kind text NOT NULL DEFAULT '',
	object uuid,
	item jsonb NOT NULL,                    -- what is said of it: values by variable
	PRIMARY KEY (tenant, seq)
);
SELECT isolate_notice('notice');
CREATE INDEX notice_at ON notice (at);
GRANT SELECT ON notice TO keyward_central, keyward_console;
GRANT SELECT, INSERT, DELETE ON notice TO keyward_jobs;

-- What a person has read: all up to a number, and single ones after it.
CREATE TABLE notice_seen (
	tenant uuid NOT NULL,
	person uuid NOT NULL,
	seq bigint NOT NULL,
	PRIMARY KEY (tenant, person)
);
SELECT isolate_notice('notice_seen');
CREATE TABLE notice_read (
	tenant uuid NOT NULL,
	person uuid NOT NULL,
	seq bigint NOT NULL,
	PRIMARY KEY (tenant, person, seq)
);
SELECT isolate_notice('notice_read');
GRANT SELECT, INSERT, UPDATE (seq) ON notice_seen TO keyward_central, keyward_console;
GRANT SELECT, INSERT, DELETE ON notice_read TO keyward_central, keyward_console;
GRANT SELECT, DELETE ON notice_read TO keyward_jobs;

-- The cursor is the installation's, too.
ALTER TABLE notice_cursor DROP CONSTRAINT notice_cursor_tenant_fkey;
DROP POLICY tenant ON notice_cursor;
SELECT isolate_notice('notice_cursor');

-- How far the log is. Definer: jobd sees no entry of the installation, and needs none but those that people are told of.
CREATE FUNCTION notice_head() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT coalesce((SELECT h.seq FROM audit_head h WHERE h.tenant = notice_scope()), 0) $$;
GRANT EXECUTE ON FUNCTION notice_head() TO keyward_console, keyward_jobs;
CREATE FUNCTION notice_entries(after bigint, upto bigint, wanted text[], most bigint) RETURNS TABLE (seq bigint, at timestamptz, event text,
	object_kind text, object_id uuid, object_name text, actor_name text, detail json)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT e.seq, e.at, e.event, e.object_kind, e.object_id, e.object_name, e.actor_name, e.detail FROM audit_entry e
		WHERE e.tenant = '00000000-0000-0000-0000-000000000000' AND e.seq > after AND e.seq <= upto AND e.event = ANY (wanted) ORDER BY e.seq
		LIMIT most
$$;
CREATE FUNCTION notice_operators(wanted text[]) RETURNS TABLE (email text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT o.email FROM operator_user o WHERE o.state = 'active' AND o.role = ANY (wanted) ORDER BY o.email $$;
GRANT EXECUTE ON FUNCTION notice_entries(bigint, bigint, text[], bigint), notice_operators(text[]) TO keyward_jobs;

CREATE TABLE notice_group (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	description text NOT NULL DEFAULT '' CHECK (length(description) <= 500),
	enabled boolean NOT NULL DEFAULT true,
	recipients text[] NOT NULL CHECK (cardinality(recipients) BETWEEN 1 AND 50),
	events text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 100),
	subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
	header text NOT NULL,
	content text NOT NULL,
	footer text NOT NULL,
	frequency text NOT NULL DEFAULT 'at-once' CHECK (frequency IN ('at-once', 'hourly', 'daily')),
	at time NOT NULL DEFAULT '08:00',       -- of a daily mail, by the account's clock
	told bigint NOT NULL,                   -- the entry of the log up to which it has been told
	due timestamptz,                        -- of hourly and daily ones
	sent timestamptz,                       -- its last mail
	created timestamptz NOT NULL DEFAULT now(),
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text,
	PRIMARY KEY (tenant, id),
	CHECK ((frequency = 'at-once') = (due IS NULL))
);
SELECT isolate('notice_group');
CREATE UNIQUE INDEX notice_group_name ON notice_group (tenant, lower(name));
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_group TO keyward_console;
GRANT SELECT, UPDATE (told, due, sent) ON notice_group TO keyward_jobs;

-- When a group of that frequency is told next after AFTER; null: at once.
CREATE FUNCTION notice_due(frequency text, at time, zone text, after timestamptz) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT CASE frequency WHEN 'hourly' THEN (date_trunc('hour', after AT TIME ZONE zone) + interval '1 hour') AT TIME ZONE zone
		WHEN 'daily' THEN integrity_next('daily', 1, at, zone, after) END
$$;
GRANT EXECUTE ON FUNCTION notice_due(text, time, text, timestamptz) TO keyward_console, keyward_jobs;

-- Tenants with a group that may have to be told of something. Definer: ids, nothing else.
CREATE POLICY notice_owner ON notice FOR SELECT TO keyward_owner USING (true);
CREATE POLICY notice_owner ON notice_group FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION notice_group_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT g.tenant FROM notice_group g WHERE g.enabled AND CASE WHEN g.due IS NULL
		THEN EXISTS (SELECT 1 FROM notice n WHERE n.tenant = g.tenant AND n.seq > g.told) ELSE g.due <= now() END
$$;
GRANT EXECUTE ON FUNCTION notice_group_tenants() TO keyward_jobs;

-- A mail that the server may have taken is not sent a second time: the job says so before it hands over the last of it.
CREATE FUNCTION job_note(noted uuid, more jsonb) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ WITH u AS (UPDATE job SET payload = payload || more WHERE id = noted AND state = 'waiting' RETURNING 1) SELECT EXISTS (SELECT 1 FROM u) $$;
GRANT EXECUTE ON FUNCTION job_note(uuid, jsonb) TO keyward_jobs;

-- An encryption that was asked for and does not get on: told of once.
ALTER TABLE device ADD idle_told boolean NOT NULL DEFAULT false;
GRANT UPDATE (idle_told) ON device TO keyward_jobs;
CREATE OR REPLACE FUNCTION device_status_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.status_since := now();
	NEW.idle_told := false;
	RETURN NEW;
END
$$;
CREATE POLICY device_owner_idle ON device FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION device_idle_tenants(before timestamptz) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT d.tenant FROM device d WHERE d.status IN ('encryption-pending', 'encrypting') AND NOT d.idle_told
		AND greatest(d.status_since, d.changed) < before
$$;
GRANT EXECUTE ON FUNCTION device_idle_tenants(timestamptz) TO keyward_jobs;
CREATE INDEX device_under_way ON device (status_since) WHERE status IN ('encryption-pending', 'encrypting');
