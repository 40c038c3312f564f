-- Key servers that keep device keys (KEY-3): the installation's and the tenants' own; where keys of new devices are kept; which keys are
-- on one, and which are still to be destroyed there.

-- WRAPPED is a key under the root key or the tenant's, which opens SETTINGS: all of them, with the client's private key, for keyd alone.
-- What people see of them stands beside. How the server does is jobd's to say; it looks again at CHECK_AT.
CREATE TABLE installation_key_server (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	host text NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
	port int NOT NULL CHECK (port BETWEEN 1 AND 65535),
	ca text NOT NULL CHECK (length(ca) <= 12288),
	certificate text NOT NULL CHECK (length(certificate) <= 12288),
	wrapped bytea NOT NULL,
	settings bytea NOT NULL,
	for_new boolean NOT NULL DEFAULT false,  -- for tenants that have chosen nothing else
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text,
	check_at timestamptz NOT NULL DEFAULT now(),
	checked timestamptz,
	says text,                               -- the server about itself
	away_since timestamptz,                  -- null: it answers, or was not asked yet
	failures int NOT NULL DEFAULT 0,         -- in a row
	error text
);
GRANT SELECT, INSERT, UPDATE, DELETE ON installation_key_server TO keyward_central;
GRANT SELECT ON installation_key_server TO keyward_console, keyward_agent;
GRANT SELECT, UPDATE (wrapped, check_at, checked, says, away_since, failures, error) ON installation_key_server TO keyward_jobs;

CREATE TABLE key_server (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	host text NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
	port int NOT NULL CHECK (port BETWEEN 1 AND 65535),
	ca text NOT NULL CHECK (length(ca) <= 12288),
	certificate text NOT NULL CHECK (length(certificate) <= 12288),
	wrapped bytea NOT NULL,
	settings bytea NOT NULL,
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text,
	check_at timestamptz NOT NULL DEFAULT now(),
	checked timestamptz,
	says text,
	away_since timestamptz,
	failures int NOT NULL DEFAULT 0,
	error text
);
SELECT isolate('key_server');
GRANT SELECT, INSERT, UPDATE, DELETE ON key_server TO keyward_console;
GRANT SELECT ON key_server TO keyward_agent;
GRANT SELECT, UPDATE (wrapped, check_at, checked, says, away_since, failures, error) ON key_server TO keyward_jobs;
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF wrapped ON key_server FOR EACH ROW EXECUTE FUNCTION under_tenant_key('wrapped');

-- Where keys of new devices are kept: here, on the installation's key server, on the tenant's own. No row: as the operator has it.
CREATE TABLE key_place (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	place text NOT NULL CHECK (place IN ('server', 'installation', 'tenant')),
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text
);
SELECT isolate('key_place');
GRANT SELECT, INSERT, UPDATE, DELETE ON key_place TO keyward_console;
GRANT SELECT ON key_place TO keyward_agent;
CREATE FUNCTION key_place_now() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT coalesce((SELECT p.place FROM key_place p WHERE p.tenant = current_tenant()),
	(SELECT 'installation' FROM installation_key_server s WHERE s.for_new), 'server') $$;
GRANT EXECUTE ON FUNCTION key_place_now() TO keyward_console, keyward_agent;

-- Of a key that is elsewhere WRAPPED is a reference, which is longer than any key (docs/keys.md). A clone's names the same key.
ALTER TABLE device_key
	ADD key_server text CHECK (key_server IN ('installation', 'tenant')),    -- whose; null: the key itself is here
	ADD server_key text CHECK (length(server_key) <= 255),                   -- what the key server calls it
	ADD CONSTRAINT device_key_elsewhere CHECK ((key_server IS NULL) = (server_key IS NULL) AND (key_server IS NULL) = (length(wrapped) <= 109));
CREATE INDEX device_key_server ON device_key (tenant, key_server, server_key) WHERE key_server IS NOT NULL;
CREATE POLICY device_key_owner ON device_key FOR SELECT TO keyward_owner USING (key_server = 'installation');

-- What DEV-8 shows and lists can be searched by. Definer: agents may not say so themselves.
CREATE FUNCTION device_key_stored() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	UPDATE device SET key_stored_on = CASE WHEN NEW.key_server IS NULL THEN 'server' ELSE 'key-server' END
		WHERE tenant = NEW.tenant AND (id = NEW.device OR id = (SELECT d.raid FROM device d WHERE d.tenant = NEW.tenant AND d.id = NEW.device));
	RETURN NULL;
END
$$;
CREATE TRIGGER device_key_stored AFTER INSERT OR UPDATE OF state ON device_key FOR EACH ROW WHEN (NEW.state = 'active')
	EXECUTE FUNCTION device_key_stored();

-- Keys whose last reference is gone, for jobd to destroy on the key server.
CREATE TABLE key_server_gone (
	tenant uuid NOT NULL REFERENCES tenant,
	device uuid NOT NULL,                    -- that the reference was for; it may be gone as well
	version int NOT NULL,
	key_server text NOT NULL,
	server_key text NOT NULL,
	wrapped bytea NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	next_try timestamptz NOT NULL DEFAULT now(),
	tries int NOT NULL DEFAULT 0,
	error text,
	PRIMARY KEY (tenant, device, version)
);
SELECT isolate('key_server_gone');
CREATE INDEX key_server_gone_next ON key_server_gone (next_try);
GRANT SELECT ON key_server_gone TO keyward_console;
GRANT SELECT, UPDATE (wrapped, next_try, tries, error), DELETE ON key_server_gone TO keyward_jobs;
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF wrapped ON key_server_gone FOR EACH ROW EXECUTE FUNCTION under_tenant_key('wrapped');

-- Of two that delete the last two references at once, or copy the last while it is deleted, one waits for the other. Definer: nobody else
-- says what is destroyed.
CREATE FUNCTION device_key_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended(OLD.tenant || OLD.key_server || OLD.server_key, 0));
	IF NOT EXISTS (SELECT 1 FROM device_key k WHERE k.tenant = OLD.tenant AND k.key_server = OLD.key_server AND k.server_key = OLD.server_key) THEN
		INSERT INTO key_server_gone (tenant, device, version, key_server, server_key, wrapped)
			VALUES (OLD.tenant, OLD.device, OLD.version, OLD.key_server, OLD.server_key, OLD.wrapped);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER device_key_gone AFTER DELETE ON device_key FOR EACH ROW WHEN (OLD.key_server IS NOT NULL) EXECUTE FUNCTION device_key_gone();
CREATE FUNCTION device_key_not_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	-- And the settings stay: whoever removes them waits, and then finds this key.
	IF NEW.key_server = 'tenant' THEN
		PERFORM 1 FROM key_server s WHERE s.tenant = NEW.tenant FOR KEY SHARE;
	ELSE
		PERFORM 1 FROM installation_key_server FOR KEY SHARE;
	END IF;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this key server is not set any more' USING ERRCODE = 'serialization_failure';
	END IF;
	PERFORM pg_advisory_xact_lock(hashtextextended(NEW.tenant || NEW.key_server || NEW.server_key, 0));
	IF EXISTS (SELECT 1 FROM key_server_gone g WHERE g.tenant = NEW.tenant AND g.key_server = NEW.key_server AND g.server_key = NEW.server_key) THEN
		RAISE EXCEPTION 'this key is being destroyed on the key server' USING ERRCODE = 'serialization_failure';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER device_key_not_gone BEFORE INSERT ON device_key FOR EACH ROW WHEN (NEW.key_server IS NOT NULL)
	EXECUTE FUNCTION device_key_not_gone();

-- Tenants for which jobd has something to do with key servers. Definer: it binds to each.
CREATE POLICY key_server_owner ON key_server FOR SELECT TO keyward_owner USING (true);
CREATE POLICY key_server_gone_owner ON key_server_gone FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION key_server_tenants() RETURNS TABLE (id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT s.tenant FROM key_server s WHERE s.check_at <= now() UNION SELECT g.tenant FROM key_server_gone g WHERE g.next_try <= now()
	AND CASE g.key_server WHEN 'tenant' THEN EXISTS (SELECT 1 FROM key_server s WHERE s.tenant = g.tenant AND s.away_since IS NULL)
		ELSE EXISTS (SELECT 1 FROM installation_key_server s WHERE s.away_since IS NULL) END $$;
GRANT EXECUTE ON FUNCTION key_server_tenants() TO keyward_jobs;

-- What the operator sees: how many keys are on the installation's key server, or still to be destroyed there; whose own ones are away.
CREATE FUNCTION installation_key_server_use(OUT keys bigint, OUT gone bigint, OUT tenants bigint) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$ SELECT count(*), (SELECT count(*) FROM key_server_gone g WHERE g.key_server = 'installation'), count(DISTINCT k.tenant)
	FROM device_key k WHERE k.key_server = 'installation' $$;
CREATE FUNCTION key_servers_away() RETURNS TABLE (id uuid, name text, since timestamptz) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$ SELECT t.id, t.name, s.away_since FROM key_server s JOIN tenant t ON t.id = s.tenant WHERE s.away_since IS NOT NULL
	ORDER BY s.away_since, t.id LIMIT 100 $$;
GRANT EXECUTE ON FUNCTION installation_key_server_use(), key_servers_away() TO keyward_central;

-- Threads of jobd that leave more than one kind of slow jobs to others.
DROP FUNCTION job_take(interval, text);
CREATE FUNCTION job_take(lease interval, leave text[] DEFAULT '{}') RETURNS TABLE (id uuid, tenant uuid, kind text, payload jsonb, attempts int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	UPDATE job j SET locked_until = now() + lease, attempts = j.attempts + 1
	WHERE j.id = (SELECT c.id FROM job c WHERE c.state = 'waiting' AND c.run_at <= now() AND c.kind <> ALL (coalesce(leave, '{}'))
		AND (c.locked_until IS NULL OR c.locked_until < now()) ORDER BY c.run_at, c.id FOR UPDATE SKIP LOCKED LIMIT 1)
	RETURNING j.id, j.tenant, j.kind, j.payload, j.attempts
$$;
GRANT EXECUTE ON FUNCTION job_take(interval, text[]) TO keyward_jobs;
