-- Health of the installation (ADM-2): processes as they report themselves, the queue and the database in numbers, and how the queue went.

-- A row is one life of a process: written by itself every few seconds, or, for services that have no database (keyd, ssod), by whoever asks
-- them on the same machine. One that stops as it should takes its row away.
CREATE TABLE process (
	kind text NOT NULL CHECK (kind IN ('web', 'jobd', 'keyd', 'ssod')),
	host text NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
	pid int NOT NULL,                       -- 0: it never answered
	started timestamptz NOT NULL,
	version text NOT NULL CHECK (length(version) <= 100),
	seen timestamptz NOT NULL DEFAULT now(),
	skew bigint,                            -- microseconds that its clock is ahead of the database's; null: it has no clock of its own
	away timestamptz,                       -- since when it does not answer whoever asks; null: it does
	error text,                             -- why
	detail jsonb NOT NULL DEFAULT '{}' CHECK (length(detail::text) <= 100000),
	PRIMARY KEY (kind, host, pid)
);
GRANT SELECT ON process TO keyward_central, keyward_jobs;
GRANT DELETE ON process TO keyward_jobs;

-- Definer, all three: a process writes of itself, and changes nothing else.
CREATE FUNCTION process_seen(of_kind text, of_host text, of_pid int, began timestamptz, of_version text, clock timestamptz, says jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	INSERT INTO process (kind, host, pid, started, version, skew, detail) VALUES (of_kind, of_host, of_pid, began, of_version,
		(extract(epoch FROM clock - clock_timestamp()) * 1000000)::bigint, says)
		ON CONFLICT (kind, host, pid) DO UPDATE SET started = excluded.started, version = excluded.version, seen = now(), skew = excluded.skew,
			away = NULL, error = NULL, detail = excluded.detail;
	-- There is one of these on a machine; a former life says nothing any more.
	IF of_kind IN ('keyd', 'ssod') THEN
		DELETE FROM process p WHERE p.kind = of_kind AND p.host = of_host AND p.pid <> of_pid;
	END IF;
END
$$;
CREATE FUNCTION process_away(of_kind text, of_host text, why text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	UPDATE process SET away = coalesce(away, now()), error = why WHERE kind = of_kind AND host = of_host;
	IF NOT FOUND THEN
		INSERT INTO process (kind, host, pid, started, version, away, error) VALUES (of_kind, of_host, 0, now(), '', now(), why)
			ON CONFLICT DO NOTHING;
	END IF;
END
$$;
CREATE FUNCTION process_gone(of_kind text, of_host text, of_pid int) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ DELETE FROM process WHERE kind = of_kind AND host = of_host AND pid = of_pid $$;
GRANT EXECUTE ON FUNCTION process_seen(text, text, int, timestamptz, text, timestamptz, jsonb), process_away(text, text, text),
	process_gone(text, text, int) TO keyward_central, keyward_jobs;

-- How many jobs there are of all accounts, and since when the oldest waits that could run. Definer: numbers of all, contents of none.
CREATE FUNCTION queue_state(OUT waiting bigint, OUT later bigint, OUT running bigint, OUT failed bigint, OUT oldest timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT count(*) FILTER (WHERE state = 'waiting' AND run_at <= now() AND (locked_until IS NULL OR locked_until <= now())),
		count(*) FILTER (WHERE state = 'waiting' AND run_at > now()),
		count(*) FILTER (WHERE state = 'waiting' AND run_at <= now() AND locked_until > now()),
		count(*) FILTER (WHERE state = 'failed'),
		min(run_at) FILTER (WHERE state = 'waiting' AND run_at <= now() AND (locked_until IS NULL OR locked_until <= now()))
	FROM job
$$;
GRANT EXECUTE ON FUNCTION queue_state() TO keyward_central, keyward_jobs;

-- Definer, both: what a role sees of other roles' sessions is nothing; the owner sees numbers where `keyward init` has granted it statistics.
CREATE FUNCTION database_sessions() RETURNS TABLE (role text, sessions bigint, active bigint, tls bigint, longest interval)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT a.usename::text, count(*), count(*) FILTER (WHERE a.state <> 'idle'), count(*) FILTER (WHERE s.ssl), max(clock_timestamp() - a.xact_start)
	FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s ON s.pid = a.pid
	WHERE a.datname = current_database() AND a.usename IS NOT NULL AND a.pid <> pg_backend_pid() GROUP BY a.usename ORDER BY a.usename
$$;
-- The folder of the database's files, for the disk that they are on; null where the owner may not know.
CREATE FUNCTION database_folder() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'usage') THEN current_setting('data_directory') END $$;
GRANT EXECUTE ON FUNCTION database_sessions() TO keyward_central;
GRANT EXECUTE ON FUNCTION database_folder() TO keyward_jobs;

-- Once a minute, for the pictures of the last days.
CREATE TABLE health_sample (
	at timestamptz PRIMARY KEY,             -- the minute
	waiting bigint NOT NULL,
	running bigint NOT NULL,
	failed bigint NOT NULL,
	behind int NOT NULL                     -- seconds that the oldest has waited
);
GRANT SELECT ON health_sample TO keyward_central;
GRANT SELECT, INSERT, DELETE ON health_sample TO keyward_jobs;
