-- Searching the log for a text by an index that no append has to keep: it is made for a month when that is over. What is newer is read.

-- What a text is looked for in; not stable, as a json's own text is: the same always.
CREATE FUNCTION audit_text(event text, actor text, object text, address text, detail json) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
	RETURN concat_ws(E'\n', event, actor, object, address, detail::text);
END
$$;

-- Makes the index of the oldest month that is over and has none; its name, or null. Definer: for jobd, whose tables they are not. For long: nobody
-- else waits, as nothing is added to that month any more.
CREATE FUNCTION audit_search_make() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s'
SET maintenance_work_mem = '128MB'
AS $$
DECLARE
	part text;
BEGIN
	IF NOT pg_try_advisory_xact_lock(7311004) THEN
		RETURN NULL;
	END IF;
	SELECT c.relname INTO part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'audit_entry'::regclass AND c.relname ~ '^audit_entry_[0-9]{6}$' AND to_regclass(c.relname || '_text') IS NULL
			AND (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC' < now() - interval '1 hour' ORDER BY 1 LIMIT 1;
	IF part IS NOT NULL THEN
		EXECUTE format('CREATE INDEX %I ON %I USING gin (tenant extension.uuid_ops, audit_text(event, actor_name, object_name, address, detail)'
			' extension.gin_trgm_ops)', part || '_text', part);
	END IF;
	RETURN part;
EXCEPTION WHEN lock_not_available THEN
	RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION audit_search_make() TO keyward_jobs;

-- The time before which every entry is in such an index.
CREATE FUNCTION audit_search_until() RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT least((SELECT min(to_date(right(c.relname, 6), 'YYYYMM'))::timestamp AT TIME ZONE 'UTC' FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'audit_entry'::regclass AND c.relname ~ '^audit_entry_[0-9]{6}$' AND to_regclass(c.relname || '_text') IS NULL),
	(SELECT min(o.at) FROM audit_entry_other o)) $$;
GRANT EXECUTE ON FUNCTION audit_search_until() TO keyward_central, keyward_console;

-- Numbers of at most MOST entries of the bound chain (bound to none: the installation's, for who may) from SINCE to before UNTIL with a text like PATTERN.
-- As search_found (sql/0014): definer, planned anew each time, always by the index.
CREATE FUNCTION audit_found(pattern text, since timestamptz, until timestamptz, most int) RETURNS SETOF bigint LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off
AS $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	chain CONSTANT uuid := coalesce(nullif(nullif(current_setting('keyward.tenant', true), '')::uuid, nil), audit_unbound());
BEGIN
	-- The operator reads no other chain, whatever it binds to.
	IF chain IS NULL OR (session_user = 'keyward_central' AND chain <> nil) THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE 'SELECT e.seq FROM audit_entry e WHERE e.tenant = $1 AND audit_text(e.event, e.actor_name, e.object_name, e.address, e.detail) ILIKE $2'
		' AND e.at >= coalesce($3, ''-infinity'') AND e.at < $4 LIMIT $5' USING chain, pattern, since, until, most;
END
$$;
GRANT EXECUTE ON FUNCTION audit_found(text, timestamptz, timestamptz, int) TO keyward_central, keyward_console;
