-- How many key requests there were, by the time they were asked at and by what has become of them: charts read these few rows
-- instead of the requests themselves (PERF-2). Quarters of an hour, because every time zone's days begin and end with one.

CREATE TABLE request_count (
	tenant uuid NOT NULL REFERENCES tenant,
	at timestamptz NOT NULL,                -- when the quarter began
	by_policy bigint NOT NULL,
	by_person bigint NOT NULL,
	denied bigint NOT NULL,
	pending bigint NOT NULL,
	PRIMARY KEY (tenant, at)
);
SELECT isolate('request_count');
GRANT SELECT ON request_count TO keyward_console;
GRANT SELECT, INSERT, UPDATE (by_policy, by_person, denied, pending) ON request_count TO keyward_jobs;

-- What is to be added to it: only appended to, so that requests of one tenant never wait for each other. jobd adds it up; until
-- then whoever counts adds both.
CREATE TABLE request_count_change (
	tenant uuid NOT NULL,
	at timestamptz NOT NULL,
	by_policy smallint NOT NULL,
	by_person smallint NOT NULL,
	denied smallint NOT NULL,
	pending smallint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
SELECT isolate('request_count_change');
CREATE INDEX request_count_change_at ON request_count_change (tenant, at);
GRANT SELECT, INSERT ON request_count_change TO keyward_console;
GRANT INSERT ON request_count_change TO keyward_agent;
GRANT SELECT, INSERT, DELETE ON request_count_change TO keyward_jobs;

CREATE FUNCTION key_request_count() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	old_kind CONSTANT text := CASE WHEN TG_OP <> 'INSERT' THEN CASE OLD.status WHEN 'pending' THEN 'pending' WHEN 'denied' THEN 'denied'
		ELSE CASE WHEN OLD.decided_by IS NULL THEN 'policy' ELSE 'person' END END ELSE '' END;
	new_kind CONSTANT text := CASE WHEN TG_OP <> 'DELETE' THEN CASE NEW.status WHEN 'pending' THEN 'pending' WHEN 'denied' THEN 'denied'
		ELSE CASE WHEN NEW.decided_by IS NULL THEN 'policy' ELSE 'person' END END ELSE '' END;
BEGIN
	IF old_kind <> new_kind THEN
		INSERT INTO request_count_change VALUES (coalesce(NEW.tenant, OLD.tenant),
			date_bin('15 minutes', coalesce(NEW.requested, OLD.requested), 'epoch'),
			(new_kind = 'policy')::int - (old_kind = 'policy')::int, (new_kind = 'person')::int - (old_kind = 'person')::int,
			(new_kind = 'denied')::int - (old_kind = 'denied')::int, (new_kind = 'pending')::int - (old_kind = 'pending')::int);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER key_request_count AFTER INSERT OR DELETE ON key_request FOR EACH ROW EXECUTE FUNCTION key_request_count();
-- Not for a key's delivery, nor for what comes after it.
CREATE TRIGGER key_request_recount AFTER UPDATE OF status, decided_by ON key_request FOR EACH ROW
	WHEN (OLD.status IN ('pending', 'denied') OR NEW.status IN ('pending', 'denied') OR OLD.decided_by IS DISTINCT FROM NEW.decided_by)
	EXECUTE FUNCTION key_request_count();
