-- Searching the log for a text, one month after the other in the order of the page and only until it is full. sql/0064 looked for all entries with it at
-- once and gave up where there were many; its audit_found and audit_search_until are still of servers before this.

-- Numbers of entries of the bound chain (bound to none: the installation's, for who may) with a text like PATTERN, among them the first MOST by KEY ('at' or
-- 'number'), newest first or not, behind the entry with EDGE (as text) and EDGE_NUMBER. Of TYPES, from SINCE to before UNTIL, with numbers above ABOVE up to
-- UPTO; null: any. Definer, planned anew each time: as search_found (sql/0014).
CREATE FUNCTION audit_found(pattern text, types text[], since timestamptz, until timestamptz, above bigint, upto bigint, key text, newest boolean, edge text,
	edge_number bigint, most int) RETURNS SETOF bigint LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_indexscan = on SET enable_indexonlyscan = off
AS $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	chain CONSTANT uuid := coalesce(nullif(nullif(current_setting('keyward.tenant', true), '')::uuid, nil), audit_unbound());
	-- What many entries have is among the first few of a month; what few have is found by the month's index.
	few CONSTANT int := 1000;
	text_of CONSTANT text := 'audit_text(e.event, e.actor_name, e.object_name, e.address, e.detail)';
	sort CONSTANT text := CASE key WHEN 'at' THEN 'e.at' WHEN 'number' THEN 'e.seq' END;
	way CONSTANT text := CASE WHEN newest THEN 'DESC' ELSE 'ASC' END;
	wanted text := format('e.tenant = %L', chain);
	inside text;
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
		format('(%s, e.seq) %s (', sort, CASE WHEN newest THEN '<' ELSE '>' END) || quote_literal(edge) || ', ' || edge_number || ')');
	FOR part IN SELECT m.since, m.until, to_regclass('audit_entry_' || to_char(m.since AT TIME ZONE 'UTC', 'YYYYMM') || '_text') IS NOT NULL AS indexed
		FROM (SELECT x AT TIME ZONE 'UTC' AS since, (x + interval '1 month') AT TIME ZONE 'UTC' AS until FROM (
			SELECT to_date(right(c.relname, 6), 'YYYYMM')::timestamp AS x FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
				WHERE i.inhparent = 'audit_entry'::regclass AND c.relname ~ '^audit_entry_[0-9]{6}$'
			UNION SELECT date_trunc('month', o.at AT TIME ZONE 'UTC') FROM audit_entry_other o) y) m
		WHERE m.until > coalesce(audit_found.since, '-infinity') AND m.since < coalesce(audit_found.until, 'infinity')
			AND (edge IS NULL OR key <> 'at' OR CASE WHEN newest THEN m.since <= edge::timestamptz ELSE m.until > edge::timestamptz END)
		ORDER BY extract(epoch FROM m.since) * CASE WHEN newest THEN -1 ELSE 1 END LOOP
		inside := format('FROM audit_entry e WHERE %s AND e.at >= %L AND e.at < %L', wanted, greatest(part.since, audit_found.since),
			least(part.until, audit_found.until));
		looked := 0;
		found := '{}';
		IF part.indexed THEN
			EXECUTE format('SELECT count(*), coalesce(array_agg(x.seq) FILTER (WHERE x.body ILIKE %L), ''{}'') FROM (SELECT e.seq, %s AS body %s'
				' ORDER BY %s %s, e.seq %s LIMIT %s) x', pattern, text_of, inside, sort, way, way, few) INTO looked, found;
		END IF;
		IF NOT part.indexed OR (looked = few AND total + cardinality(found) < most) THEN
			PERFORM set_config('enable_indexscan', CASE WHEN part.indexed THEN 'off' ELSE 'on' END, true);
			EXECUTE format('SELECT ARRAY(SELECT e.seq %s AND %s ILIKE %L ORDER BY %s %s, e.seq %s LIMIT %s)', inside, text_of, pattern, sort, way, way,
				most - total) INTO found;
			PERFORM set_config('enable_indexscan', 'on', true);
		END IF;
		RETURN QUERY SELECT unnest(found);
		total := total + cardinality(found);
		EXIT WHEN total >= most;
	END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION audit_found(text, text[], timestamptz, timestamptz, bigint, bigint, text, boolean, text, bigint, int) TO keyward_central, keyward_console;
