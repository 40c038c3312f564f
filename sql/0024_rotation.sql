-- Rotation of devices' keys (KEY-6): a new device key gets a key slot of the volume before the old one's is removed.

ALTER TABLE device_key
	DROP CONSTRAINT device_key_state_check,
	ADD CONSTRAINT device_key_state_check CHECK (state IN ('active', 'next', 'former')),
	ADD other int;                          -- of the active one: the version that it is being rotated to, or from, until that is over
CREATE UNIQUE INDEX device_key_next ON device_key (tenant, device) WHERE state = 'next';
GRANT UPDATE (other) ON device_key TO keyward_console, keyward_agent;

CREATE TABLE rotation (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	device uuid NOT NULL,                   -- of an array: a member
	kind text NOT NULL DEFAULT 'device-key' CHECK (kind IN ('device-key', 'volume-key')),
	state text NOT NULL DEFAULT 'waiting' CHECK (state IN (
		'waiting',                      -- for the volume to be open
		'adding',                       -- the agent has both keys; the old one opens
		'removing',                     -- the new one is current, and was seen to open; the old one may still open
		'done', 'cancelled')),
	reason text NOT NULL CHECK (reason IN ('person', 'age')),
	by_name text NOT NULL DEFAULT '',
	wanted timestamptz NOT NULL DEFAULT now(),
	begun timestamptz,
	finished timestamptz,
	from_version int,
	to_version int,
	progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
	tries int NOT NULL DEFAULT 0,           -- that failed
	tried timestamptz,
	error text,                             -- of the last of them
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, device) REFERENCES device ON DELETE CASCADE,
	CHECK ((finished IS NULL) = (state NOT IN ('done', 'cancelled')))
);
SELECT isolate('rotation');
CREATE UNIQUE INDEX rotation_open ON rotation (tenant, device) WHERE finished IS NULL;
CREATE INDEX rotation_device ON rotation (tenant, device, wanted DESC);
GRANT SELECT, INSERT, UPDATE (state, finished) ON rotation TO keyward_console;
GRANT SELECT, UPDATE (state, begun, finished, from_version, to_version, progress, tries, tried, error) ON rotation TO keyward_agent;
GRANT SELECT, INSERT, UPDATE (tried) ON rotation TO keyward_jobs;

-- How old a device's key may become; no row: as old as it will.
CREATE TABLE rotation_age (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	days int NOT NULL CHECK (days BETWEEN 1 AND 3650),
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text NOT NULL DEFAULT ''
);
SELECT isolate('rotation_age');
GRANT SELECT, INSERT, UPDATE, DELETE ON rotation_age TO keyward_console;
GRANT SELECT ON rotation_age TO keyward_jobs;
CREATE INDEX device_key_age ON device (tenant, coalesce(key_rotated, key_created)) WHERE key_created IS NOT NULL;

-- For jobd, bound to none: ids, nothing else. Definer, as those of sql/0009.
CREATE POLICY rotation_owner ON rotation FOR SELECT TO keyward_owner USING (true);
CREATE POLICY rotation_age_owner ON rotation_age FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION rotation_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT t.id FROM tenant t WHERE t.state = 'active' AND (EXISTS (SELECT 1 FROM rotation r WHERE r.tenant = t.id AND r.finished IS NULL)
		OR EXISTS (SELECT 1 FROM rotation_age a WHERE a.tenant = t.id))
$$;
GRANT EXECUTE ON FUNCTION rotation_tenants() TO keyward_jobs;
