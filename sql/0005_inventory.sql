-- What the agents report: instances, agents, devices, and the devices' wrapped keys.

CREATE TABLE instance (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	image uuid,
	provider text NOT NULL,
	provider_instance text NOT NULL,        -- the provider's id
	host_name text NOT NULL DEFAULT '',
	os text NOT NULL DEFAULT '',            -- "linux"
	distribution text NOT NULL DEFAULT '',
	os_version text NOT NULL DEFAULT '',
	kernel text NOT NULL DEFAULT '',
	arch text NOT NULL DEFAULT '',
	region text NOT NULL DEFAULT '',
	zone text NOT NULL DEFAULT '',
	state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'missing', 'stopped')),
	facts jsonb,                            -- as last reported: the document of src/store/facts.h
	facts_at timestamptz,
	first_seen timestamptz NOT NULL DEFAULT now(),
	last_seen timestamptz NOT NULL DEFAULT now(),
	seen_before timestamptz,                -- last_seen of the time before it came back ...
	back timestamptz,                       -- ... then; null: it was never away
	PRIMARY KEY (tenant, id),
	UNIQUE (tenant, provider, provider_instance),
	FOREIGN KEY (tenant, image) REFERENCES image ON DELETE SET NULL (image)
);
SELECT isolate('instance');
CREATE INDEX instance_last_seen ON instance (tenant, last_seen, id);
CREATE INDEX instance_running ON instance (tenant, id) WHERE state = 'running';         -- to be counted
CREATE INDEX instance_image ON instance (tenant, image);
-- A machine that is heard again after a silence, whatever the reason: when it was seen before that is a fact (RUL-6) that its first
-- words must not overwrite.
CREATE FUNCTION instance_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.seen_before := OLD.last_seen;
	NEW.back := NEW.last_seen;
	RETURN NEW;
END
$$;
CREATE TRIGGER instance_back BEFORE UPDATE OF last_seen ON instance FOR EACH ROW
	WHEN (NEW.last_seen > OLD.last_seen + interval '1 minute') EXECUTE FUNCTION instance_back();
GRANT SELECT, DELETE, UPDATE (state) ON instance TO keyward_console;
GRANT SELECT, INSERT, UPDATE ON instance TO keyward_agent;
GRANT SELECT, UPDATE (state), DELETE ON instance TO keyward_jobs;

-- What changed from one report of an instance's facts to the next (INT-6).
CREATE TABLE fact_change (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	instance uuid NOT NULL,
	at timestamptz NOT NULL,
	fact text NOT NULL,
	subject text NOT NULL DEFAULT '',       -- the member of a set
	kind text NOT NULL CHECK (kind IN ('added', 'removed', 'changed', 'many')),
	old jsonb,
	new jsonb,                              -- of "many": {added, removed, changed}: numbers
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE CASCADE
);
SELECT isolate('fact_change');
CREATE INDEX fact_change_instance ON fact_change (tenant, instance, at, id);
CREATE INDEX fact_change_fact ON fact_change (tenant, instance, fact, at, id);
CREATE INDEX fact_change_at ON fact_change (tenant, at);
GRANT SELECT ON fact_change TO keyward_console;
GRANT INSERT, SELECT (tenant, instance, at) ON fact_change TO keyward_agent;
GRANT SELECT, DELETE ON fact_change TO keyward_jobs;

CREATE TABLE agent (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	instance uuid,
	public_key bytea NOT NULL CHECK (length(public_key) = 65),       -- its signing key: P-256 point, uncompressed
	state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'replaced', 'removed')),
	version text NOT NULL DEFAULT '',
	insecure_tls boolean NOT NULL DEFAULT false,
	log_level text NOT NULL DEFAULT '',
	address text,
	created timestamptz NOT NULL DEFAULT now(),
	last_heartbeat timestamptz,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE SET NULL (instance)
);
SELECT isolate('agent');
CREATE UNIQUE INDEX agent_key ON agent (tenant, public_key);
-- One agent speaks for an instance: who enrols again takes the former one's place.
CREATE UNIQUE INDEX agent_instance ON agent (tenant, instance) WHERE state = 'active';
CREATE INDEX agent_heartbeat ON agent (tenant, last_heartbeat) WHERE state = 'active';
GRANT SELECT, UPDATE (state) ON agent TO keyward_console;
GRANT SELECT, INSERT, UPDATE ON agent TO keyward_agent;
GRANT SELECT, UPDATE (state) ON agent TO keyward_jobs;

-- Native and vCloud devices belong to one machine: two machines may use the same id for different disks. Other providers' ids
-- are theirs alone, and a device moves between instances.
CREATE FUNCTION device_machine(provider text, instance uuid) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN provider IN ('native', 'vcloud') THEN instance ELSE '00000000-0000-0000-0000-000000000000'::uuid END $$;
GRANT EXECUTE ON FUNCTION device_machine(text, uuid) TO keyward_agent;

CREATE TABLE device (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	provider text NOT NULL,
	machine uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',   -- device_machine()
	provider_device text NOT NULL,          -- the provider's id
	name text NOT NULL DEFAULT '',
	description text NOT NULL DEFAULT '',
	kind text NOT NULL DEFAULT 'disk',      -- as the agent protocol names kinds
	path text NOT NULL DEFAULT '',          -- in the guest it was last seen on
	size_bytes bigint NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
	is_system boolean NOT NULL DEFAULT false,       -- holds the root file system: never encrypted (DEV-3)
	is_busy boolean NOT NULL DEFAULT false, -- the guest itself uses it
	found_filesystem text NOT NULL DEFAULT '',      -- the signature on it as reported
	instance uuid,                          -- on which it was last seen
	image uuid,
	policy uuid NOT NULL,
	status text NOT NULL DEFAULT 'not-configured' CHECK (status IN ('not-configured', 'configured', 'encryption-pending',
		'encrypting', 'encrypted', 'in-use', 'encryption-error', 'undetected', 'device-missing')),
	progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
	error text,
	encrypt_by uuid,                        -- the user who asked for its encryption last
	os text NOT NULL DEFAULT '',
	filesystem text NOT NULL DEFAULT '',
	mount_point text NOT NULL DEFAULT '',
	access text NOT NULL DEFAULT 'read-write' CHECK (access IN ('read-only', 'read-write')),
	cipher text NOT NULL DEFAULT 'aes',
	mode text NOT NULL DEFAULT 'xts-plain64' CHECK (mode IN ('xts-plain64', 'cbc-essiv:sha256')),
	key_bits int NOT NULL DEFAULT 256,
	hash text NOT NULL DEFAULT 'sha256',
	overwrite boolean NOT NULL DEFAULT false,       -- a person confirmed that what is on it may go
	key_stored_on text NOT NULL DEFAULT 'server' CHECK (key_stored_on IN ('server', 'key-server')),
	key_version int NOT NULL DEFAULT 0,     -- counts up, also over keys that were destroyed: a version never means two keys
	key_created timestamptz,                -- null: has no key
	key_rotated timestamptz,
	luks_uuid text NOT NULL DEFAULT '',     -- of the finished volume; '' as long as there is none
	created timestamptz NOT NULL DEFAULT now(),
	last_detected timestamptz NOT NULL DEFAULT now(),
	configured timestamptz,
	changed timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, id),
	UNIQUE (tenant, provider, machine, provider_device),
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE SET NULL (instance),
	FOREIGN KEY (tenant, image) REFERENCES image ON DELETE SET NULL (image),
	FOREIGN KEY (tenant, policy) REFERENCES policy,
	-- DEV-8
	CHECK ((mode = 'xts-plain64' AND key_bits IN (128, 256)) OR (mode = 'cbc-essiv:sha256' AND key_bits IN (128, 192, 256)))
);
SELECT isolate('device');
CREATE INDEX device_name ON device (tenant, name, id);
CREATE INDEX device_size ON device (tenant, size_bytes, id);
CREATE INDEX device_status ON device (tenant, status, id);
CREATE INDEX device_instance ON device (tenant, instance);
CREATE INDEX device_image ON device (tenant, image);
CREATE INDEX device_policy ON device (tenant, policy);
GRANT SELECT, UPDATE, DELETE ON device TO keyward_console;
-- What a person decides (policy, configuration) an agent cannot change.
GRANT SELECT, INSERT, UPDATE (path, size_bytes, is_system, is_busy, found_filesystem, instance, image, status, progress, error,
	key_version, key_created, key_rotated, luks_uuid, last_detected, changed) ON device TO keyward_agent;
GRANT SELECT, UPDATE (status, progress, error, changed) ON device TO keyward_jobs;

-- Wrapped by keyd under the tenant's key; without the root key nothing here is usable (KEY-1).
CREATE TABLE device_key (
	tenant uuid NOT NULL,
	device uuid NOT NULL,
	version int NOT NULL CHECK (version > 0),
	wrapped bytea NOT NULL,
	state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'former')),
	created timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, device, version),
	FOREIGN KEY (tenant, device) REFERENCES device ON DELETE CASCADE
);
SELECT isolate('device_key');
CREATE UNIQUE INDEX device_key_active ON device_key (tenant, device) WHERE state = 'active';
GRANT SELECT, INSERT, UPDATE (state, wrapped), DELETE ON device_key TO keyward_console;
GRANT SELECT, INSERT, UPDATE (state) ON device_key TO keyward_agent;
GRANT SELECT, UPDATE (wrapped) ON device_key TO keyward_jobs;

-- History, one row per heartbeat, by month; the newest per agent is in agent.last_heartbeat.
CREATE TABLE heartbeat (
	tenant uuid NOT NULL,
	agent uuid NOT NULL,
	at timestamptz NOT NULL,
	volumes jsonb NOT NULL DEFAULT '[]'
) PARTITION BY RANGE (at);
SELECT isolate('heartbeat');
CREATE INDEX heartbeat_agent ON heartbeat (tenant, agent, at);
-- Where there is no partition for a month yet, rows must still have a place.
CREATE TABLE heartbeat_other PARTITION OF heartbeat DEFAULT;
SELECT isolate('heartbeat_other');
GRANT SELECT ON heartbeat TO keyward_console, keyward_jobs;
GRANT INSERT, SELECT ON heartbeat TO keyward_agent;

-- Makes the partitions of this and the next two months and drops those that ended more than KEEP months ago. Definer: jobd runs
-- it daily, but only the owner may create and drop tables; months are computed here, nothing is taken from the caller's text.
CREATE FUNCTION heartbeat_partitions(keep int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	month date;
	part record;
BEGIN
	IF keep < 1 THEN
		RAISE EXCEPTION 'at least one month is kept' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM pg_advisory_xact_lock(7311001);
	FOR i IN 0 .. 2 LOOP
		month := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i))::date;
		CONTINUE WHEN to_regclass(format('heartbeat_%s', to_char(month, 'YYYYMM'))) IS NOT NULL;
		-- Rows that are in the default partition already would make this fail: then the month stays there.
		BEGIN
			EXECUTE format('CREATE TABLE heartbeat_%s PARTITION OF heartbeat FOR VALUES FROM (%L) TO (%L)',
				to_char(month, 'YYYYMM'), month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00');
			PERFORM isolate(format('heartbeat_%s', to_char(month, 'YYYYMM'))::regclass);
		EXCEPTION WHEN check_violation THEN
			NULL;
		END;
	END LOOP;
	FOR part IN SELECT c.oid::regclass AS name, to_date(right(c.relname, 6), 'YYYYMM') AS month
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'heartbeat'::regclass AND c.relname ~ '^heartbeat_[0-9]{6}$' LOOP
		IF part.month + make_interval(months => keep + 1) <= date_trunc('month', now() AT TIME ZONE 'UTC') THEN
			EXECUTE format('DROP TABLE %s', part.name);
		END IF;
	END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION heartbeat_partitions(int) TO keyward_jobs;
SELECT heartbeat_partitions(12);
