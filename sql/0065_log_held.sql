-- A month of the log that a receiver (sql/0048) has not got yet is kept for three months longer than it would be; and how often a device's key was exported is
-- counted beside it, as the log does not hold for ever.

CREATE FUNCTION audit_held(chain uuid, last bigint, month date, older timestamptz) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT month >= (older AT TIME ZONE 'UTC')::date - interval '4 months' AND EXISTS (SELECT 1 FROM log_forward f WHERE f.tenant = chain AND f.seq < last) $$;

-- As in sql/0063, but for those.
CREATE OR REPLACE FUNCTION audit_archived(older timestamptz) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT coalesce(json_agg(json_build_object('tenant', a.tenant, 'month', a.month, 'first', a.first, 'last', a.last)), '[]') FROM audit_archive a
	WHERE a.month < older AND a.month >= older - interval '2 years' AND NOT audit_held(a.tenant, a.last, a.month, older) $$;
CREATE OR REPLACE FUNCTION audit_months_drop(older timestamptz, how text, given json) RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '2s'
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
			WHERE NOT CASE how
				WHEN 'archived' THEN NOT audit_held(e.tenant, e.last, part.month, older) AND EXISTS (SELECT 1 FROM audit_archive a
					WHERE a.tenant = e.tenant AND a.month = part.month AND a.first = e.first AND a.last = e.last AND a.last - a.first + 1 = e.n)
				WHEN 'listed' THEN EXISTS (SELECT 1 FROM json_to_recordset(given) AS a (tenant uuid, month date, first bigint, last bigint)
					WHERE a.tenant = e.tenant AND a.month = part.month AND a.first = e.first AND a.last = e.last AND a.last - a.first + 1 = e.n)
				WHEN 'copied' THEN EXISTS (SELECT 1 FROM audit_copied c WHERE c.tenant = e.tenant AND c.seq >= e.last)
				ELSE false END);
		EXECUTE format('DROP TABLE %s', part.name);
		dropped := dropped + 1;
	END LOOP;
	RETURN dropped;
EXCEPTION WHEN lock_not_available THEN
	RETURN 0;
END
$$;

ALTER TABLE device ADD COLUMN exports int NOT NULL DEFAULT 0;
CREATE POLICY held_owner ON device FOR ALL TO keyward_owner USING (true) WITH CHECK (true);
UPDATE device d SET exports = x.n FROM (SELECT e.tenant, e.object_id, count(*) AS n FROM audit_entry e WHERE e.event = 'key.exported' GROUP BY 1, 2) x
	WHERE d.tenant = x.tenant AND d.id = x.object_id;
DROP POLICY held_owner ON device;
