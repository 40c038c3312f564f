-- Texts of the month that still grows. No append keeps an index of them (sql/0064), so what was appended is copied a little later, of chains that are long, into
-- a table that has one; the few entries that are not copied yet are read. Its month goes when the month of entries has an index of its own.

CREATE TABLE audit_recent (
	tenant uuid NOT NULL,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	category text NOT NULL,
	body text NOT NULL,                     -- audit_text of the entry
	PRIMARY KEY (tenant, at, seq)
) PARTITION BY RANGE (at);
SELECT isolate('audit_recent');
CREATE INDEX audit_recent_body ON audit_recent USING gin (tenant extension.uuid_ops, body extension.gin_trgm_ops);
-- Nobody but the owner's functions below touches it.
CREATE POLICY audit_owner ON audit_recent FOR ALL TO keyward_owner USING (true) WITH CHECK (true);

-- Chains with more than STEP entries of this month that are not copied yet: the month, and the last entry that is (none: the one before the first).
CREATE FUNCTION audit_recent_behind(step int) RETURNS TABLE (chain uuid, month date, at timestamptz, seq bigint) LANGUAGE sql STABLE
AS $$
	SELECT h.tenant, m.month, coalesce(r.at, f.at), coalesce(r.seq, f.seq - 1) FROM audit_head h
	CROSS JOIN (SELECT x::date AS month, x AT TIME ZONE 'UTC' AS since FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AS x) y) m
	LEFT JOIN LATERAL (SELECT c.at, c.seq FROM audit_recent c WHERE c.tenant = h.tenant AND c.at >= m.since ORDER BY c.at DESC, c.seq DESC LIMIT 1) r ON true
	LEFT JOIN LATERAL (SELECT e.at, e.seq FROM audit_entry e WHERE r.seq IS NULL AND e.tenant = h.tenant AND e.at >= m.since ORDER BY e.at, e.seq LIMIT 1) f ON true
	-- Most chains are short, and are not looked at.
	WHERE h.seq > step AND h.at >= m.since AND h.seq - coalesce(r.seq, f.seq - 1) > step
$$;

-- Whether audit_search_follow (with STEP) or audit_search_make has something to do.
CREATE FUNCTION audit_search_due(step int) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT EXISTS (SELECT 1 FROM audit_recent_behind(step)) OR EXISTS (SELECT 1 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'audit_entry'::regclass AND c.relname ~ '^audit_entry_[0-9]{6}$' AND to_regclass(c.relname || '_text') IS NULL
			AND (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC' < now() - interval '1 hour')
$$;
GRANT EXECUTE ON FUNCTION audit_search_due(int) TO keyward_jobs;

-- Copies at most MOST entries of each chain that is more than STEP ahead; how many, 0: none is. Definer: jobd's role reads one chain at a time, and only the owner may make tables.
CREATE FUNCTION audit_search_follow(step int, most int) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
	behind record;
	part text;
	n bigint;
	copied bigint := 0;
BEGIN
	IF NOT pg_try_advisory_xact_lock(7311005) THEN
		RETURN 0;
	END IF;
	FOR behind IN SELECT * FROM audit_recent_behind(step) LOOP
		part := 'audit_recent_' || to_char(behind.month, 'YYYYMM');
		-- By itself: it locks out who searches.
		IF to_regclass(part) IS NULL THEN
			EXECUTE format('CREATE TABLE %I PARTITION OF audit_recent FOR VALUES FROM (%L) TO (%L)', part, behind.month::timestamp AT TIME ZONE 'UTC',
				(behind.month + interval '1 month') AT TIME ZONE 'UTC');
			PERFORM isolate(part::regclass);
			RETURN 1;
		END IF;
		INSERT INTO audit_recent SELECT e.tenant, e.seq, e.at, e.category, audit_text(e.event, e.actor_name, e.object_name, e.address, e.detail) FROM audit_entry e
			WHERE e.tenant = behind.chain AND e.at >= behind.at AND e.at < (behind.month + interval '1 month') AT TIME ZONE 'UTC' AND e.seq > behind.seq
			ORDER BY e.at, e.seq LIMIT most;
		GET DIAGNOSTICS n = ROW_COUNT;
		copied := copied + n;
	END LOOP;
	RETURN copied;
EXCEPTION WHEN lock_not_available THEN
	RETURN 0;
END
$$;
GRANT EXECUTE ON FUNCTION audit_search_follow(int, int) TO keyward_jobs;

-- As in sql/0064, several months at a time by as many sessions; and a month's copied texts go, by themselves, when it has its index.
CREATE OR REPLACE FUNCTION audit_search_make() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s'
SET maintenance_work_mem = '128MB'
AS $$
DECLARE
	part text;
BEGIN
	SELECT c.relname INTO part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'audit_recent'::regclass AND (to_regclass('audit_entry_'
		|| right(c.relname, 6)) IS NULL OR to_regclass('audit_entry_' || right(c.relname, 6) || '_text') IS NOT NULL) ORDER BY 1 LIMIT 1;
	IF part IS NOT NULL THEN
		EXECUTE format('DROP TABLE IF EXISTS %I', part);
		RETURN part;
	END IF;
	FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'audit_entry'::regclass AND c.relname ~ '^audit_entry_[0-9]{6}$' AND to_regclass(c.relname || '_text') IS NULL
			AND (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC' < now() - interval '1 hour' ORDER BY 1 LOOP
		CONTINUE WHEN NOT pg_try_advisory_xact_lock(7311004, right(part, 6)::int);
		EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I USING gin (tenant extension.uuid_ops, audit_text(event, actor_name, object_name, address, detail)'
			' extension.gin_trgm_ops)', part || '_text', part);
		RETURN part;
	END LOOP;
	RETURN NULL;
EXCEPTION WHEN lock_not_available THEN
	RETURN NULL;
END
$$;

-- As in sql/0063.
CREATE OR REPLACE FUNCTION audit_forget() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	DELETE FROM audit_entry e WHERE e.tenant = current_tenant();
	DELETE FROM audit_head h WHERE h.tenant = current_tenant();
	DELETE FROM audit_recent c WHERE c.tenant = current_tenant();
END
$$;

-- As in sql/0080, and of the month that grows by its copied texts. Times never go back along a chain (sql/0043), so what is not copied yet is behind the last that is.
CREATE OR REPLACE FUNCTION audit_found(pattern text, types text[], since timestamptz, until timestamptz, above bigint, upto bigint, key text, newest boolean, edge text,
	edge_number bigint, most int) RETURNS SETOF bigint LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_indexscan = on SET enable_indexonlyscan = off SET jit = off
AS $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	chain CONSTANT uuid := coalesce(nullif(nullif(current_setting('keyward.tenant', true), '')::uuid, nil), audit_unbound());
	-- What many entries have is among the first few of a month; what few have is found by an index.
	few CONSTANT int := 1000;
	text_of CONSTANT text := 'audit_text(e.event, e.actor_name, e.object_name, e.address, e.detail)';
	way CONSTANT text := CASE WHEN newest THEN 'DESC' ELSE 'ASC' END;
	wanted text := format('e.tenant = %L', chain);
	inside text;
	rest text;
	part record;
	looked int;
	found bigint[];
	total int := 0;
BEGIN
	-- The operator reads no other chain, whatever it binds to.
	IF chain IS NULL OR (session_user = 'keyward_central' AND chain <> nil) THEN
		RETURN;
	END IF;
	wanted := concat_ws(' AND ', wanted, CASE WHEN cardinality(types) = 1 THEN format('e.category = %L', types[1])
			WHEN types IS NOT NULL THEN format('e.category = ANY (%L)', types) END,
		'e.seq > ' || above, 'e.seq <= ' || upto,
		format('(%s, e.seq) %s (', CASE key WHEN 'at' THEN 'e.at' WHEN 'number' THEN 'e.seq' END, CASE WHEN newest THEN '<' ELSE '>' END) || quote_literal(edge) || ', '
			|| edge_number || ')');
	FOR part IN SELECT m.since, m.until, m.indexed, r.at AS copied_at, r.seq AS copied FROM (SELECT x AT TIME ZONE 'UTC' AS since, (x + interval '1 month') AT TIME ZONE 'UTC' AS until,
			to_regclass('audit_entry_' || to_char(x, 'YYYYMM') || '_text') IS NOT NULL AS indexed FROM (
			SELECT to_date(right(c.relname, 6), 'YYYYMM')::timestamp AS x FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
				WHERE i.inhparent = 'audit_entry'::regclass AND c.relname ~ '^audit_entry_[0-9]{6}$'
			UNION SELECT date_trunc('month', o.at AT TIME ZONE 'UTC') FROM audit_entry_other o) y) m
		LEFT JOIN LATERAL (SELECT c.at, c.seq FROM audit_recent c WHERE NOT m.indexed AND c.tenant = chain AND c.at >= m.since AND c.at < m.until
			ORDER BY c.at DESC, c.seq DESC LIMIT 1) r ON true
		WHERE m.until > coalesce(audit_found.since, '-infinity') AND m.since < coalesce(audit_found.until, 'infinity')
			AND (edge IS NULL OR key <> 'at' OR CASE WHEN newest THEN m.since <= edge::timestamptz ELSE m.until > edge::timestamptz END)
		ORDER BY extract(epoch FROM m.since) * CASE WHEN newest THEN -1 ELSE 1 END LOOP
		inside := format('%s AND e.at >= %L AND e.at < %L', wanted, greatest(part.since, audit_found.since), least(part.until, audit_found.until));
		looked := 0;
		found := '{}';
		IF part.indexed OR part.copied IS NOT NULL THEN
			EXECUTE format('SELECT count(*), coalesce(array_agg(x.seq) FILTER (WHERE x.body ILIKE %L), ''{}'') FROM (SELECT e.seq, %s AS body FROM audit_entry e'
				' WHERE %s ORDER BY e.at %s, e.seq %s LIMIT %s) x', pattern, text_of, inside, way, way, few) INTO looked, found;
		END IF;
		IF (NOT part.indexed AND part.copied IS NULL) OR (looked = few AND total + cardinality(found) < most) THEN
			rest := format('SELECT e.seq, e.at FROM audit_entry e WHERE %s AND %s ILIKE %L', inside, text_of, pattern);
			IF part.copied IS NOT NULL THEN
				rest := rest || format(' AND e.at >= %L AND e.seq > %s UNION ALL SELECT e.seq, e.at FROM audit_recent e WHERE %s AND e.body ILIKE %L', part.copied_at,
					part.copied, inside, pattern);
			END IF;
			PERFORM set_config('enable_indexscan', CASE WHEN part.indexed OR part.copied IS NOT NULL THEN 'off' ELSE 'on' END, true);
			EXECUTE format('SELECT ARRAY(SELECT x.seq FROM (%s) x ORDER BY x.at %s, x.seq %s LIMIT %s)', rest, way, way, most - total) INTO found;
			PERFORM set_config('enable_indexscan', 'on', true);
		END IF;
		RETURN QUERY SELECT unnest(found);
		total := total + cardinality(found);
		EXIT WHEN total >= most;
	END LOOP;
END
$$;
