-- The log by months (LOG-1), signed checkpoints of its chains (LOG-3), and the archive of what is older than the installation keeps at hand.

-- By months, because a month is dropped at once where its rows would have to be deleted one by one. Entries of a chain have rising times, so
-- an order by time is one by number, and only the months that are asked for are read.
ALTER TABLE audit_entry RENAME TO audit_former;
ALTER TABLE audit_former RENAME CONSTRAINT audit_entry_pkey TO audit_former_pkey;
DROP INDEX audit_entry_at, audit_entry_category, audit_entry_object;
CREATE TABLE audit_entry (
	tenant uuid NOT NULL,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	category text NOT NULL,
	event text NOT NULL,
	actor_kind text NOT NULL,
	actor_id uuid,
	actor_name text,
	object_kind text,
	object_id uuid,
	object_name text,
	detail json,
	address text,
	request text,
	written_by text NOT NULL,
	previous hash32 NOT NULL,
	hash hash32 NOT NULL,
	PRIMARY KEY (tenant, seq, at)
) PARTITION BY RANGE (at);
SELECT isolate('audit_entry');
CREATE INDEX audit_entry_at ON audit_entry (tenant, at, seq);
CREATE INDEX audit_entry_category ON audit_entry (tenant, category, at, seq);
CREATE INDEX audit_entry_object ON audit_entry (tenant, object_id, seq) WHERE object_id IS NOT NULL;
-- Where there is no partition for a month yet, an entry must still have a place: without it nothing could be done at all.
CREATE TABLE audit_entry_other PARTITION OF audit_entry DEFAULT;
SELECT isolate('audit_entry_other');
CREATE POLICY audit_owner ON audit_entry_other FOR ALL TO keyward_owner USING (true) WITH CHECK (true);
CREATE POLICY audit_owner ON audit_entry FOR ALL TO keyward_owner USING (true) WITH CHECK (true);

-- The partition of the month that begins with MONTH, by UTC; what has come into the default one meanwhile is taken along. Attached, not made
-- as a partition: that would lock out everybody who writes.
CREATE FUNCTION audit_month_make(month date) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
	name CONSTANT text := 'audit_entry_' || to_char(month, 'YYYYMM');
	since CONSTANT timestamptz := month::timestamp AT TIME ZONE 'UTC';
	until CONSTANT timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
	IF to_regclass(name) IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE format('CREATE TABLE %I (LIKE audit_entry INCLUDING ALL)', name);
	EXECUTE format('WITH moved AS (DELETE FROM audit_entry_other o WHERE o.at >= %L AND o.at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
		since, until, name);
	EXECUTE format('ALTER TABLE audit_entry ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, since, until);
	PERFORM isolate(name::regclass);
END
$$;

-- Those of this and the next two months, and of entries that have none. Definer: jobd runs it daily, but only the owner may make tables.
CREATE FUNCTION audit_months() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
	this CONSTANT timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
BEGIN
	PERFORM pg_advisory_xact_lock(7311002);
	PERFORM audit_month_make(m::date) FROM (SELECT DISTINCT date_trunc('month', o.at AT TIME ZONE 'UTC') AS m FROM audit_entry_other o
		UNION SELECT generate_series(this, this + interval '2 months', interval '1 month')) x ORDER BY m;
END
$$;
GRANT EXECUTE ON FUNCTION audit_months() TO keyward_jobs;

SELECT audit_month_make(m::date) FROM (SELECT DISTINCT date_trunc('month', f.at AT TIME ZONE 'UTC') AS m FROM audit_former f) x ORDER BY m;
SELECT audit_months();
INSERT INTO audit_entry SELECT * FROM audit_former;
DO $$
BEGIN
	IF (SELECT count(*) FROM audit_entry) <> (SELECT count(*) FROM audit_former) OR EXISTS (SELECT 1 FROM audit_entry_other) THEN
		RAISE EXCEPTION 'not every entry of the log could be moved';
	END IF;
END
$$;
DROP TABLE audit_former;
GRANT SELECT ON audit_entry TO keyward_central, keyward_console, keyward_jobs;
GRANT SELECT (tenant, seq, at, event, actor_kind, actor_id, object_id, detail, request, written_by, xmin) ON audit_entry TO keyward_tickets;

-- The head of a chain as it was, signed by the key service: who can write all of this database can still not make one that fits another
-- chain, and one that was copied elsewhere shows that entries were cut off. src/audit/proof.c has the bytes that are signed.
CREATE TABLE audit_checkpoint (
	tenant uuid NOT NULL,                   -- nil: the installation's chain
	seq bigint NOT NULL,
	hash hash32 NOT NULL,
	at timestamptz NOT NULL,                -- of the signature
	signature bytea NOT NULL CHECK (length(signature) = 64),
	PRIMARY KEY (tenant, seq)
);
SELECT isolate('audit_checkpoint');

-- A month of a chain that is not at hand any more. The record stays for good: it proves that what is gone went by retention.
CREATE TABLE audit_archive (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	month date NOT NULL,                    -- its first day, by UTC
	first bigint NOT NULL,
	last bigint NOT NULL CHECK (last >= first),
	before hash32 NOT NULL,                 -- of the entry before the first
	after hash32 NOT NULL,                  -- of the last
	bytes bigint NOT NULL,                  -- of the file, as the next one
	digest hash32 NOT NULL,                 -- SHA-256
	made timestamptz NOT NULL,
	signature bytea NOT NULL CHECK (length(signature) = 64),
	expires timestamptz NOT NULL,           -- when the file goes
	removed timestamptz,
	removed_by text,                        -- null: its time was over
	PRIMARY KEY (tenant, id),
	UNIQUE (tenant, month)
);
SELECT isolate('audit_archive');
CREATE INDEX audit_archive_last ON audit_archive (tenant, last);
CREATE INDEX audit_archive_expires ON audit_archive (expires) WHERE removed IS NULL;

-- Its file, CSV by gzip, in pieces.
CREATE TABLE audit_archive_piece (
	tenant uuid NOT NULL,
	archive uuid NOT NULL,
	n int NOT NULL,
	bytes bytea NOT NULL,
	PRIMARY KEY (tenant, archive, n),
	FOREIGN KEY (tenant, archive) REFERENCES audit_archive ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE audit_archive_piece ALTER COLUMN bytes SET STORAGE EXTERNAL;
SELECT isolate('audit_archive_piece');

GRANT SELECT ON audit_checkpoint, audit_archive, audit_archive_piece TO keyward_central, keyward_console, keyward_jobs;
GRANT INSERT ON audit_checkpoint, audit_archive, audit_archive_piece TO keyward_jobs;
GRANT DELETE ON audit_archive_piece TO keyward_central, keyward_console, keyward_jobs;
GRANT UPDATE (removed, removed_by) ON audit_archive TO keyward_central, keyward_console, keyward_jobs;

-- As sql/0003 says of the log: the operator has the installation's chain and, whatever it binds to, no other; a tenant's process cannot have that
-- one by binding to the nil UUID. jobd keeps both kinds, the installation's where it is bound to none.
DROP POLICY audit_tenant ON audit_head;
DO $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['audit_head', 'audit_entry', 'audit_checkpoint', 'audit_archive', 'audit_archive_piece'] LOOP
		IF t <> 'audit_head' THEN
			EXECUTE format('CREATE POLICY audit_installation ON %I TO keyward_central USING (tenant = %L)', t, nil);
			EXECUTE format('CREATE POLICY audit_operator ON %I AS RESTRICTIVE TO keyward_central USING (tenant = %L)', t, nil);
		END IF;
		EXECUTE format('CREATE POLICY audit_tenant ON %I AS RESTRICTIVE TO keyward_console USING (tenant <> %L)', t, nil);
		EXECUTE format('CREATE POLICY audit_jobs ON %I TO keyward_jobs USING (tenant = %L AND nullif(current_setting(''keyward.tenant'', true), '''')'
			' IS NULL)', t, nil);
		EXECUTE format('CREATE POLICY audit_bound ON %I AS RESTRICTIVE TO keyward_jobs USING (tenant <> %L OR nullif(current_setting('
			'''keyward.tenant'', true), '''') IS NULL)', t, nil);
	END LOOP;
END
$$;
CREATE POLICY audit_owner ON audit_checkpoint FOR SELECT TO keyward_owner USING (true);
CREATE POLICY audit_owner ON audit_archive FOR SELECT TO keyward_owner USING (true);

-- Chains for which jobd has something to do: a head that was not signed for EVERY, entries before OLDER, files whose time is over. The nil UUID is
-- the installation's.
CREATE FUNCTION audit_due(every interval, older timestamptz) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT h.tenant FROM audit_head h LEFT JOIN LATERAL (SELECT c.seq, c.at FROM audit_checkpoint c WHERE c.tenant = h.tenant ORDER BY c.seq DESC
		LIMIT 1) c ON true
	WHERE (h.seq > coalesce(c.seq, 0) AND coalesce(c.at <= now() - every, true))
		OR EXISTS (SELECT 1 FROM audit_archive a WHERE a.tenant = h.tenant AND a.removed IS NULL AND a.expires <= now())
		OR EXISTS (SELECT 1 FROM audit_entry e WHERE e.tenant = h.tenant AND e.at < older
			AND e.seq > coalesce((SELECT max(a.last) FROM audit_archive a WHERE a.tenant = h.tenant), 0))
$$;
GRANT EXECUTE ON FUNCTION audit_due(interval, timestamptz) TO keyward_jobs;

-- Drops the months before OLDER of which every chain's entries are archived; how many. Where somebody reads one of them for long it is tried
-- again the next time: who waits for that lock keeps all others waiting.
CREATE FUNCTION audit_months_drop(older timestamptz) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
	part record;
	dropped int := 0;
BEGIN
	PERFORM pg_advisory_xact_lock(7311002);
	FOR part IN SELECT c.oid::regclass AS name, to_date(right(c.relname, 6), 'YYYYMM') AS month
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'audit_entry'::regclass AND c.relname ~ '^audit_entry_[0-9]{6}$' ORDER BY 2 LOOP
		CONTINUE WHEN (part.month + interval '1 month') AT TIME ZONE 'UTC' > least(older, now());
		CONTINUE WHEN EXISTS (SELECT 1 FROM (SELECT e.tenant, min(e.seq) AS first, max(e.seq) AS last, count(*) AS n FROM audit_entry e
				WHERE e.at >= part.month::timestamp AT TIME ZONE 'UTC' AND e.at < (part.month + interval '1 month') AT TIME ZONE 'UTC'
				GROUP BY e.tenant) e
			LEFT JOIN audit_archive a ON a.tenant = e.tenant AND a.month = part.month AND a.first = e.first AND a.last = e.last
				AND a.last - a.first + 1 = e.n WHERE a.id IS NULL);
		EXECUTE format('DROP TABLE %s', part.name);
		dropped := dropped + 1;
	END LOOP;
	RETURN dropped;
EXCEPTION WHEN lock_not_available THEN
	RETURN 0;
END
$$;
GRANT EXECUTE ON FUNCTION audit_months_drop(timestamptz) TO keyward_jobs;

CREATE OR REPLACE FUNCTION signing_keep(purpose text, blob text, public_key text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	IF purpose NOT IN ('signing-licence', 'signing-certificate', 'signing-log') THEN
		RAISE EXCEPTION 'no such signing key' USING ERRCODE = 'check_violation';
	END IF;
	INSERT INTO setting (name, value) VALUES (purpose, to_jsonb(blob)) ON CONFLICT DO NOTHING;
	IF FOUND THEN
		INSERT INTO setting (name, value) VALUES ('public.' || purpose, to_jsonb(public_key));
	END IF;
END
$$;
