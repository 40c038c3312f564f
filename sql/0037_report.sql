-- Reports (RPT): templates, when they are due, and the archive with its files.

-- The period of a report that is made AT, in the time zone of the account. Calendar periods are whole and over.
CREATE FUNCTION report_period(period text, zone text, at timestamptz, OUT since timestamptz, OUT until timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT b AT TIME ZONE zone, e AT TIME ZONE zone FROM (SELECT
		CASE period WHEN 'last-day' THEN n - interval '1 day' WHEN 'last-week' THEN n - interval '7 days'
			WHEN 'last-month' THEN n - interval '30 days' WHEN 'last-quarter' THEN n - interval '90 days'
			WHEN 'last-year' THEN n - interval '1 year' ELSE date_trunc(u, n) - s END AS b,
		CASE WHEN period LIKE 'last-%' THEN n ELSE date_trunc(u, n) END AS e
		FROM (SELECT at AT TIME ZONE zone AS n, CASE period WHEN 'week' THEN 'week' WHEN 'month' THEN 'month' WHEN 'quarter' THEN 'quarter'
			WHEN 'year' THEN 'year' ELSE 'day' END AS u, CASE period WHEN 'week' THEN interval '7 days' WHEN 'month' THEN interval '1 month'
			WHEN 'quarter' THEN interval '3 months' WHEN 'year' THEN interval '1 year' ELSE interval '1 day' END AS s) x) y
$$;
GRANT EXECUTE ON FUNCTION report_period(text, text, timestamptz) TO keyward_console, keyward_jobs;

-- When a template is due next after AFTER, by the clock of ZONE; as integrity_next for days and weeks. A day that the month lacks is its
-- last. Null: never by itself.
CREATE FUNCTION report_next(kind text, weekday int, monthday int, at time, zone text, after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT CASE WHEN kind = 'monthly' THEN (SELECT min(t) FROM (
		SELECT ((m + make_interval(days => least(monthday, extract(day FROM m + interval '1 month' - interval '1 day')::int) - 1))::date + at)
			AT TIME ZONE zone AS t FROM generate_series(date_trunc('month', after AT TIME ZONE zone) - interval '1 month',
			date_trunc('month', after AT TIME ZONE zone) + interval '2 months', interval '1 month') m) c WHERE t > after)
	WHEN kind IN ('daily', 'weekly') THEN integrity_next(kind, weekday, at, zone, after) END
$$;
GRANT EXECUTE ON FUNCTION report_next(text, int, int, time, text, timestamptz) TO keyward_console, keyward_jobs;

CREATE TABLE report_template (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
	criteria text[] NOT NULL CHECK (cardinality(criteria) BETWEEN 1 AND 40),
	has_keys boolean NOT NULL,              -- one of them is for Security Administrators alone (RPT-2)
	period text NOT NULL CHECK (period IN ('last-day', 'last-week', 'last-month', 'last-quarter', 'last-year', 'day', 'week', 'month',
		'quarter', 'year', 'range')),
	since timestamptz,                      -- of a range
	until timestamptz,
	formats text[] NOT NULL CHECK (cardinality(formats) BETWEEN 1 AND 3 AND formats <@ ARRAY['pdf', 'xlsx', 'csv']),
	schedule text NOT NULL DEFAULT 'once' CHECK (schedule IN ('once', 'daily', 'weekly', 'monthly')),
	weekday smallint NOT NULL DEFAULT 1 CHECK (weekday BETWEEN 1 AND 7),
	monthday smallint NOT NULL DEFAULT 1 CHECK (monthday BETWEEN 1 AND 31),
	at time NOT NULL DEFAULT '06:00',
	keep_days int NOT NULL DEFAULT 30 CHECK (keep_days BETWEEN 1 AND 365),
	mail boolean NOT NULL DEFAULT false,
	recipients text NOT NULL DEFAULT '',    -- addresses, with semicolons
	owner uuid NOT NULL,                    -- with whose rights it is made
	owner_name text NOT NULL,
	stopped text,                           -- why it is not made by itself any more
	due timestamptz,
	created timestamptz NOT NULL DEFAULT now(),
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text,
	PRIMARY KEY (tenant, id),
	CHECK (period <> 'range' OR (since IS NOT NULL AND until > since))
);
SELECT isolate('report_template');
CREATE UNIQUE INDEX report_template_name ON report_template (tenant, lower(name));
CREATE INDEX report_template_due ON report_template (due) WHERE due IS NOT NULL;
GRANT SELECT, INSERT, DELETE, UPDATE ON report_template TO keyward_console;
GRANT SELECT, UPDATE (stopped, due) ON report_template TO keyward_jobs;

CREATE TABLE report (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	template uuid,
	name text NOT NULL,
	criteria text[] NOT NULL,
	has_keys boolean NOT NULL,
	since timestamptz NOT NULL,
	until timestamptz NOT NULL,
	zone text NOT NULL,
	formats text[] NOT NULL,
	scheduled boolean NOT NULL DEFAULT false,
	mail boolean NOT NULL DEFAULT false,
	recipients text NOT NULL DEFAULT '',
	owner uuid NOT NULL,
	owner_name text NOT NULL,
	state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
	step int NOT NULL DEFAULT 0,            -- sections that are written, of all of all formats
	steps int NOT NULL DEFAULT 0,
	rows bigint NOT NULL DEFAULT 0,
	bytes bigint NOT NULL DEFAULT 0,
	error text,
	created timestamptz NOT NULL DEFAULT now(),
	finished timestamptz,
	expires timestamptz NOT NULL,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, template) REFERENCES report_template ON DELETE SET NULL (template)
);
SELECT isolate('report');
CREATE INDEX report_created ON report (tenant, created, id);
CREATE INDEX report_expires ON report (tenant, expires);
GRANT SELECT, INSERT, DELETE ON report TO keyward_console;
GRANT SELECT, INSERT, DELETE, UPDATE (state, step, steps, rows, bytes, error, finished) ON report TO keyward_jobs;

-- A file in pieces, so that neither who writes nor who reads it holds all of it.
CREATE TABLE report_piece (
	tenant uuid NOT NULL,
	report uuid NOT NULL,
	format text NOT NULL,
	n int NOT NULL,
	bytes bytea NOT NULL,
	PRIMARY KEY (tenant, report, format, n),
	FOREIGN KEY (tenant, report) REFERENCES report ON DELETE CASCADE
);
-- What is in it is compressed already.
ALTER TABLE report_piece ALTER COLUMN bytes SET STORAGE EXTERNAL;
SELECT isolate('report_piece');
GRANT SELECT ON report_piece TO keyward_console;
GRANT SELECT, INSERT, DELETE ON report_piece TO keyward_jobs;

CREATE POLICY report_template_owner ON report_template FOR SELECT TO keyward_owner USING (true);
CREATE POLICY report_owner ON report FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION report_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT r.tenant FROM report_template r JOIN tenant t ON t.id = r.tenant WHERE t.state = 'active' AND r.due <= now()
$$;
GRANT EXECUTE ON FUNCTION report_tenants() TO keyward_jobs;
