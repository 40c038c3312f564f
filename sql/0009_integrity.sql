-- Integrity checks of running instances: when they are due, what was asked and what came of it.

-- When a schedule of this kind runs next after AFTER, by the clock of ZONE (INT-1). A local time that does not exist on the day the
-- clock jumps is the same time before the jump, so an hour later as the clock shows; one that comes twice is taken once, the second
-- time. WEEKDAY: 1 Monday to 7 Sunday.
CREATE FUNCTION integrity_next(kind text, weekday int, at time, zone text, after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT min(t) FROM (SELECT (d::date + at) AT TIME ZONE zone AS t FROM generate_series((after AT TIME ZONE zone)::date - 1,
		(after AT TIME ZONE zone)::date + 8, interval '1 day') d
		WHERE kind = 'daily' OR (kind = 'weekly' AND extract(isodow FROM d) = weekday)) c WHERE t > after
$$;
GRANT EXECUTE ON FUNCTION integrity_next(text, int, time, text, timestamptz) TO keyward_console, keyward_jobs;

-- One row per tenant, made with the tenant. 'off': nothing is checked by the clock, whatever the policies say.
CREATE TABLE integrity_schedule (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	kind text NOT NULL DEFAULT 'daily' CHECK (kind IN ('off', 'daily', 'weekly')),
	weekday smallint NOT NULL DEFAULT 1 CHECK (weekday BETWEEN 1 AND 7),
	at time NOT NULL DEFAULT '02:00',
	regrant_s bigint NOT NULL DEFAULT 86400 CHECK (regrant_s BETWEEN 0 AND 31536000),      -- INT-4
	due timestamptz,                        -- the next run; null: off
	last_run timestamptz,
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text
);
SELECT isolate('integrity_schedule');
GRANT SELECT, UPDATE (kind, weekday, at, regrant_s, due, changed, changed_by) ON integrity_schedule TO keyward_console;
GRANT SELECT (tenant, regrant_s) ON integrity_schedule TO keyward_agent;
GRANT SELECT, UPDATE (due, last_run) ON integrity_schedule TO keyward_jobs;

-- Definer, because the operator who makes the tenant has no right here (TEN-3); what is written is fixed.
CREATE FUNCTION tenant_integrity_schedule() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
BEGIN
	PERFORM set_config('keyward.tenant', NEW.id::text, true);
	INSERT INTO integrity_schedule (tenant, due) VALUES (NEW.id, integrity_next('daily', 1, '02:00', NEW.time_zone, now()));
	PERFORM set_config('keyward.tenant', former, true);
	RETURN NULL;
END
$$;
CREATE TRIGGER tenant_integrity_schedule AFTER INSERT ON tenant FOR EACH ROW EXECUTE FUNCTION tenant_integrity_schedule();

-- One question to one instance and its answer.
CREATE TABLE integrity_check (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	instance uuid NOT NULL,
	reason text NOT NULL CHECK (reason IN ('schedule', 'order', 'again', 'boot')),    -- again: while a key is being or was revoked
	run timestamptz,                        -- of which run of the schedule
	due timestamptz NOT NULL DEFAULT now(), -- when the agent is to be asked
	ordered timestamptz,
	ordered_by text,
	answered timestamptz,
	result text CHECK (result IN ('good', 'failed', 'not-checked')),     -- null: under way
	summary text NOT NULL DEFAULT '',       -- in a sentence, why
	requests int NOT NULL DEFAULT 0,        -- how many keys were judged
	failed int NOT NULL DEFAULT 0,          -- and how many of them did not match
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE CASCADE
);
SELECT isolate('integrity_check');
CREATE INDEX integrity_check_instance ON integrity_check (tenant, instance, due DESC);
CREATE INDEX integrity_check_open ON integrity_check (tenant, due) WHERE result IS NULL;
CREATE INDEX integrity_check_run ON integrity_check (tenant, run) WHERE run IS NOT NULL;
GRANT SELECT, INSERT ON integrity_check TO keyward_console;
GRANT SELECT, INSERT, UPDATE (answered, result, summary, requests, failed) ON integrity_check TO keyward_agent;
GRANT SELECT, INSERT, DELETE, UPDATE (ordered, result, summary) ON integrity_check TO keyward_jobs;

-- What jobd does to the second, beside the timers of sql/0006: which tenants have something due, and when it need look again. Definer,
-- as those: ids and times, nothing else.
CREATE POLICY integrity_schedule_owner ON integrity_schedule FOR SELECT TO keyward_owner USING (true);
CREATE POLICY integrity_check_owner ON integrity_check FOR SELECT TO keyward_owner USING (true);
CREATE INDEX integrity_check_due ON integrity_check (due) WHERE result IS NULL AND ordered IS NULL;
CREATE FUNCTION integrity_timers_due() RETURNS TABLE (timer text, tenant uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT w.timer, t.id FROM tenant t JOIN (
		SELECT 'revocations' AS timer, r.tenant FROM key_request r WHERE r.revoke_due <= clock_timestamp()
		UNION SELECT 'schedule', s.tenant FROM integrity_schedule s WHERE s.due <= clock_timestamp()
		UNION SELECT 'checks', c.tenant FROM integrity_check c
			WHERE c.result IS NULL AND c.ordered IS NULL AND c.due <= clock_timestamp()) w ON w.tenant = t.id
	WHERE t.state = 'active'
$$;
CREATE FUNCTION integrity_timers_next() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT least(
		(SELECT r.revoke_due FROM key_request r JOIN tenant t ON t.id = r.tenant AND t.state = 'active'
			WHERE r.revoke_due IS NOT NULL ORDER BY r.revoke_due LIMIT 1),
		(SELECT min(s.due) FROM integrity_schedule s JOIN tenant t ON t.id = s.tenant AND t.state = 'active'),
		(SELECT c.due FROM integrity_check c JOIN tenant t ON t.id = c.tenant AND t.state = 'active'
			WHERE c.result IS NULL AND c.ordered IS NULL ORDER BY c.due LIMIT 1))
$$;
GRANT EXECUTE ON FUNCTION integrity_timers_due(), integrity_timers_next() TO keyward_jobs;
