-- A log database of its own (LOG-5). An entry is written here, with its change (LOG-3), and copied by jobd to another database that has this same
-- schema and nothing but the log in it; months that are there go from here. The heads of the chains, checkpoints and the archive stay.

-- How far each chain was copied. Nothing in it: there is no other database.
CREATE TABLE audit_copied (
	tenant uuid PRIMARY KEY,                 -- nil: the installation's chain
	seq bigint NOT NULL,
	at timestamptz NOT NULL DEFAULT now()
);
SELECT isolate('audit_copied');
GRANT SELECT ON audit_copied TO keyward_central, keyward_console, keyward_jobs;
GRANT INSERT, UPDATE ON audit_copied TO keyward_jobs;
-- As for the other tables of the log (sql/0045).
DO $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
	EXECUTE format('CREATE POLICY audit_installation ON audit_copied TO keyward_central USING (tenant = %L)', nil);
	EXECUTE format('CREATE POLICY audit_operator ON audit_copied AS RESTRICTIVE TO keyward_central USING (tenant = %L)', nil);
	EXECUTE format('CREATE POLICY audit_tenant ON audit_copied AS RESTRICTIVE TO keyward_console USING (tenant <> %L)', nil);
	EXECUTE format('CREATE POLICY audit_jobs ON audit_copied TO keyward_jobs USING (tenant = %L AND nullif(current_setting(''keyward.tenant'', true), '
		''''') IS NULL)', nil);
	EXECUTE format('CREATE POLICY audit_bound ON audit_copied AS RESTRICTIVE TO keyward_jobs USING (tenant <> %L OR nullif(current_setting('
		'''keyward.tenant'', true), '''') IS NULL)', nil);
END
$$;
CREATE POLICY audit_owner ON audit_copied FOR ALL TO keyward_owner USING (true) WITH CHECK (true);

-- Chains with entries that are not copied yet; the nil UUID is the installation's.
CREATE FUNCTION audit_behind() RETURNS TABLE (id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT h.tenant FROM audit_head h LEFT JOIN audit_copied c ON c.tenant = h.tenant WHERE h.seq > coalesce(c.seq, 0) $$;
GRANT EXECUTE ON FUNCTION audit_behind() TO keyward_jobs;

-- For the page of the installation's health: how many entries are on their way, and since when the oldest of them is.
CREATE FUNCTION audit_way(OUT waiting bigint, OUT since timestamptz, OUT copied bigint) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT coalesce(sum(h.seq - coalesce(c.seq, 0)), 0)::bigint, min((SELECT e.at FROM audit_entry e WHERE e.tenant = h.tenant
		AND e.seq = coalesce(c.seq, 0) + 1)) FILTER (WHERE h.seq > coalesce(c.seq, 0)), coalesce(sum(c.seq), 0)::bigint
	FROM audit_head h LEFT JOIN audit_copied c ON c.tenant = h.tenant $$;
GRANT EXECUTE ON FUNCTION audit_way() TO keyward_central;

-- As in sql/0045, where FAR is what audit_old said in the log database, which has the old entries then: [{tenant, last}]; null: there is none.
CREATE FUNCTION audit_due(every interval, older timestamptz, far json) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT h.tenant FROM audit_head h LEFT JOIN LATERAL (SELECT c.seq, c.at FROM audit_checkpoint c WHERE c.tenant = h.tenant ORDER BY c.seq DESC
		LIMIT 1) c ON true
	LEFT JOIN LATERAL (SELECT max(a.last) AS last FROM audit_archive a WHERE a.tenant = h.tenant) a ON true
	LEFT JOIN json_to_recordset(far) AS f (tenant uuid, last bigint) ON f.tenant = h.tenant
	WHERE (h.seq > coalesce(c.seq, 0) AND coalesce(c.at <= now() - every, true))
		OR EXISTS (SELECT 1 FROM audit_archive x WHERE x.tenant = h.tenant AND x.removed IS NULL AND x.expires <= now())
		OR CASE WHEN far IS NULL THEN EXISTS (SELECT 1 FROM audit_entry e WHERE e.tenant = h.tenant AND e.at < older AND e.seq > coalesce(a.last, 0))
			ELSE f.last > coalesce(a.last, 0) END
$$;
GRANT EXECUTE ON FUNCTION audit_due(interval, timestamptz, json) TO keyward_jobs;

-- Which months of which chains are archived, as audit_months_drop in the log database wants it: of those that it may still have.
CREATE FUNCTION audit_archived(older timestamptz) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT coalesce(json_agg(json_build_object('tenant', a.tenant, 'month', a.month, 'first', a.first, 'last', a.last)), '[]') FROM audit_archive a
	WHERE a.month < older AND a.month >= older - interval '2 years' $$;
GRANT EXECUTE ON FUNCTION audit_archived(timestamptz) TO keyward_jobs;

-- Drops the months before OLDER whose every chain is well elsewhere; how many. That is, by HOW: 'archived', in the archive here; 'listed', as GIVEN (of
-- audit_archived) says; 'copied', in the log database. Where somebody reads a month for long it is tried again the next time: who waits for that
-- lock keeps all others waiting.
CREATE FUNCTION audit_months_drop(older timestamptz, how text, given json) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
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
			WHERE NOT CASE how
				WHEN 'archived' THEN EXISTS (SELECT 1 FROM audit_archive a WHERE a.tenant = e.tenant AND a.month = part.month AND a.first = e.first
					AND a.last = e.last AND a.last - a.first + 1 = e.n)
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
GRANT EXECUTE ON FUNCTION audit_months_drop(timestamptz, text, json) TO keyward_jobs;
-- Of former servers, while an upgrade is under way.
CREATE OR REPLACE FUNCTION audit_months_drop(older timestamptz) RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT audit_months_drop(older, 'archived', NULL) $$;

-- In the log database.

-- The last entry before OLDER of each chain.
CREATE FUNCTION audit_old(older timestamptz) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT coalesce(json_agg(json_build_object('tenant', x.tenant, 'last', x.last)), '[]') FROM (SELECT e.tenant, max(e.seq) AS last FROM audit_entry e
	WHERE e.at < older GROUP BY e.tenant) x $$;

-- The next entry of the bound chain (bound to none: the installation's), as it was written elsewhere: just the next one, and of this chain.
CREATE FUNCTION audit_take(number bigint, stamp timestamptz, category text, event text, actor_kind text, actor_id uuid, actor_name text, object_kind text,
	object_id uuid, object_name text, detail json, address text, request text, written_by text, former bytea, own bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	chain CONSTANT uuid := coalesce(nullif(current_setting('keyward.tenant', true), ''), '00000000-0000-0000-0000-000000000000');
BEGIN
	IF to_regclass('audit_entry_' || to_char(stamp AT TIME ZONE 'UTC', 'YYYYMM')) IS NULL THEN
		PERFORM audit_month_make(date_trunc('month', stamp AT TIME ZONE 'UTC')::date);
	END IF;
	INSERT INTO audit_head (tenant, seq, hash, at) VALUES (chain, 0, decode(repeat('00', 32), 'hex'), stamp) ON CONFLICT DO NOTHING;
	UPDATE audit_head h SET seq = number, hash = own, former = audit_take.former, at = stamp WHERE h.tenant = chain AND h.seq = number - 1
		AND h.hash = audit_take.former;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'entry % does not follow what the log database has of this chain', number USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	INSERT INTO audit_entry VALUES (chain, number, stamp, category, event, actor_kind, actor_id, actor_name, object_kind, object_id, object_name, detail,
		address, request, written_by, audit_take.former, own);
END
$$;

-- What is left of the bound account's log when the account is gone.
CREATE FUNCTION audit_forget() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	DELETE FROM audit_entry e WHERE e.tenant = current_tenant();
	DELETE FROM audit_head h WHERE h.tenant = current_tenant();
END
$$;

-- Makes this database the log database of INSTALLATION: nothing is written here but copies, and that by jobd alone.
CREATE FUNCTION audit_database_make(installation text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT 1 FROM operator_user) OR EXISTS (SELECT 1 FROM setting WHERE name = 'public.installation' AND value = to_jsonb(installation)) THEN
		RAISE EXCEPTION 'this is the database of an installation, not one for its log';
	END IF;
	REVOKE EXECUTE ON FUNCTION audit_append(text, text, text, uuid, text, text, uuid, text, json, text, text)
		FROM keyward_central, keyward_console, keyward_agent, keyward_jobs;
	GRANT EXECUTE ON FUNCTION audit_take(bigint, timestamptz, text, text, text, uuid, text, text, uuid, text, json, text, text, text, bytea, bytea),
		audit_old(timestamptz), audit_forget() TO keyward_jobs;
END
$$;
