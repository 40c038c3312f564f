-- Licences (LIC-1 to LIC-3): what an account may use, what it uses, who was warned; and the operator's book of the codes that it has issued.

-- By this codes are told from those of other installations. It belongs to the data: a restored backup is the same installation.
INSERT INTO setting (name, value) VALUES ('public.installation', to_jsonb(gen_random_uuid()::text));
-- What a new account begins with. No keys: nothing.
INSERT INTO setting (name, value) VALUES ('licence.trial', '{"keys": 100, "days": 30}');

CREATE TABLE licence (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	serial int NOT NULL CHECK (serial >= 0),        -- 0: the trial that the account began with, which has no code
	kind text NOT NULL CHECK (kind IN ('trial', 'full')),
	keys int NOT NULL CHECK (keys >= 0),
	until timestamptz NOT NULL,
	issued timestamptz NOT NULL,
	code text NOT NULL DEFAULT '',
	entered timestamptz NOT NULL DEFAULT now(),
	entered_by text NOT NULL,
	replaced timestamptz,                   -- null: in force
	PRIMARY KEY (tenant, id)
);
SELECT isolate('licence');
CREATE UNIQUE INDEX licence_in_force ON licence (tenant) WHERE replaced IS NULL;
CREATE UNIQUE INDEX licence_serial ON licence (tenant, serial);
CREATE POLICY licence_owner ON licence TO keyward_owner USING (true) WITH CHECK (true);
-- The operator bills by it: what was granted, never to whom in the account or for which device.
CREATE POLICY licence_operator ON licence FOR SELECT TO keyward_central USING (true);
GRANT SELECT, INSERT, UPDATE (replaced) ON licence TO keyward_console;
GRANT SELECT ON licence TO keyward_agent, keyward_jobs;
GRANT SELECT (tenant, id, serial, kind, keys, until, issued, entered, replaced) ON licence TO keyward_central;

-- How many keys are in use, counted anew every ten seconds: for lists and notices. What is refused is counted at that moment.
CREATE TABLE licence_use (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	used bigint NOT NULL DEFAULT 0,
	at timestamptz NOT NULL DEFAULT now(),
	serial int NOT NULL DEFAULT -1,         -- whose warnings these are:
	told_keys smallint NOT NULL DEFAULT 0,  -- the highest level that people were told of
	told_end smallint NOT NULL DEFAULT 0
);
SELECT isolate('licence_use');
CREATE POLICY licence_owner ON licence_use TO keyward_owner USING (true) WITH CHECK (true);
CREATE POLICY licence_operator ON licence_use FOR SELECT TO keyward_central USING (true);
GRANT SELECT ON licence_use TO keyward_console;
GRANT SELECT (tenant, used, at) ON licence_use TO keyward_central;
GRANT SELECT, UPDATE (serial, told_keys, told_end) ON licence_use TO keyward_jobs;
CREATE INDEX device_licensed ON device (tenant) WHERE key_created IS NOT NULL AND kind <> 'raid-0';

-- Levels of warnings; src/base/licence.h has their words. An account that has only begun is not told at once that its trial ends.
CREATE FUNCTION licence_level_keys(used bigint, keys bigint) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN used >= keys THEN 3 WHEN used * 100 >= keys * 95 THEN 2 WHEN used * 100 >= keys * 80 THEN 1 ELSE 0 END $$;
CREATE FUNCTION licence_level_end(until timestamptz, kind text, at timestamptz) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT CASE WHEN at >= until THEN 4 WHEN at >= until - interval '24 hours' THEN 3 WHEN at >= until - interval '168 hours' THEN 2
		WHEN kind = 'full' AND at >= until - interval '720 hours' THEN 1 ELSE 0 END
$$;
GRANT EXECUTE ON FUNCTION licence_level_keys(bigint, bigint), licence_level_end(timestamptz, text, timestamptz)
	TO keyward_central, keyward_console, keyward_agent, keyward_jobs;

-- Keys in use: every device that has one, members of arrays each by themselves; and, for who asks for more, those that are about to get one.
CREATE FUNCTION licence_used() RETURNS bigint LANGUAGE sql STABLE
AS $$ SELECT count(*) FROM device d WHERE d.tenant = current_tenant() AND d.key_created IS NOT NULL AND d.kind <> 'raid-0' $$;
CREATE FUNCTION licence_pending() RETURNS bigint LANGUAGE sql STABLE
AS $$
	SELECT count(*) FROM device d WHERE d.tenant = current_tenant() AND d.status = 'encryption-pending' AND d.key_created IS NULL
		AND d.kind <> 'raid-0'
$$;
GRANT EXECUTE ON FUNCTION licence_used(), licence_pending() TO keyward_console, keyward_agent, keyward_jobs;

-- Definer: an account is made by the operator, who writes nothing into it.
CREATE FUNCTION tenant_licence() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	trial CONSTANT jsonb := (SELECT value FROM setting WHERE name = 'licence.trial');
BEGIN
	INSERT INTO licence_use (tenant) VALUES (NEW.id);
	IF coalesce((trial ->> 'keys')::int, 0) > 0 THEN
		INSERT INTO licence (tenant, id, serial, kind, keys, until, issued, entered_by) VALUES (NEW.id, gen_random_uuid(), 0, 'trial',
			(trial ->> 'keys')::int, now() + make_interval(days => (trial ->> 'days')::int), now(), 'Keyward');
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER tenant_licence AFTER INSERT ON tenant FOR EACH ROW EXECUTE FUNCTION tenant_licence();
-- Accounts that were there before have the time to get a code, and keys enough for what they have.
INSERT INTO licence_use (tenant) SELECT id FROM tenant;
INSERT INTO licence (tenant, id, serial, kind, keys, until, issued, entered_by)
	SELECT t.id, gen_random_uuid(), 0, 'trial', 100000, now() + interval '60 days', now(), 'Keyward' FROM tenant t WHERE t.state <> 'closed';

-- Whoever would bring one key more into use: the console (a copy of a key) or an agent (one that encrypts or hands over). The licence's row is
-- locked, so that two at once do not both get the last. Definer: for the lock. The superuser's and the owner's own work is not held to it.
CREATE FUNCTION device_licence() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	granted int;
	ends timestamptz;
BEGIN
	IF session_user NOT IN ('keyward_console', 'keyward_agent') OR NEW.kind = 'raid-0' THEN
		RETURN NEW;
	END IF;
	SELECT l.keys, l.until INTO granted, ends FROM licence l WHERE l.tenant = NEW.tenant AND l.replaced IS NULL FOR UPDATE;
	IF NOT FOUND OR now() >= ends OR (SELECT count(*) FROM device d WHERE d.tenant = NEW.tenant AND d.key_created IS NOT NULL
			AND d.kind <> 'raid-0') >= granted THEN
		RAISE EXCEPTION 'the licence has no key left' USING ERRCODE = 'check_violation', CONSTRAINT = 'licence';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER device_licence BEFORE UPDATE OF key_created ON device FOR EACH ROW
	WHEN (OLD.key_created IS NULL AND NEW.key_created IS NOT NULL) EXECUTE FUNCTION device_licence();

-- Counts for all. Definer, and bound to one account after the other: jobd sees devices only of the one that it is bound to.
CREATE FUNCTION licence_count() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
	one uuid;
BEGIN
	FOR one IN SELECT t.id FROM tenant t WHERE t.state <> 'closed' LOOP
		PERFORM set_config('keyward.tenant', one::text, true);
		UPDATE licence_use u SET used = n.used, at = now() FROM (SELECT licence_used() AS used) n WHERE u.tenant = one AND u.used <> n.used;
	END LOOP;
	PERFORM set_config('keyward.tenant', former, true);
END
$$;
-- Accounts whose people are to be told something. Definer: jobd asks before it binds to one.
CREATE FUNCTION licence_tenants() RETURNS TABLE (id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT t.id FROM tenant t JOIN licence l ON l.tenant = t.id AND l.replaced IS NULL JOIN licence_use u ON u.tenant = t.id
	WHERE t.state IN ('active', 'suspended')
		AND (licence_level_keys(u.used, l.keys) > CASE WHEN u.serial = l.serial THEN u.told_keys ELSE 0 END
		OR licence_level_end(l.until, l.kind, now()) > CASE WHEN u.serial = l.serial THEN u.told_end ELSE 0 END)
$$;
-- Whom the operator's warnings go to. Definer: jobd learns addresses and nothing else of operators.
CREATE FUNCTION licence_operators() RETURNS TABLE (email text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT o.email FROM operator_user o WHERE o.state = 'active' AND o.role IN ('msp-administrator', 'tenant-manager') ORDER BY o.email $$;
GRANT EXECUTE ON FUNCTION licence_count(), licence_tenants(), licence_operators() TO keyward_jobs;

-- The operator's book. ACCOUNT, not tenant: no process of a tenant has any right here.
CREATE TABLE licence_issue (
	id uuid PRIMARY KEY,
	account uuid NOT NULL REFERENCES tenant,
	serial int NOT NULL CHECK (serial > 0),
	kind text NOT NULL CHECK (kind IN ('trial', 'full')),
	keys int NOT NULL CHECK (keys >= 0),
	until timestamptz NOT NULL,
	issued timestamptz NOT NULL,
	issued_by text NOT NULL,
	note text NOT NULL DEFAULT '',
	code text NOT NULL,
	UNIQUE (account, serial)
);
GRANT SELECT, INSERT ON licence_issue TO keyward_central;

-- Puts a code that stands in the operator's book into force, as its tenant would by entering it (LIC-4). Definer: the operator writes nothing
-- else into an account. ERRCODE: what is not in the book, or not the newest.
CREATE FUNCTION licence_assign(issue uuid, by_name text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	i licence_issue;
BEGIN
	SELECT * INTO i FROM licence_issue b WHERE b.id = issue;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no such code' USING ERRCODE = 'no_data_found';
	END IF;
	PERFORM 1 FROM licence l WHERE l.tenant = i.account AND l.replaced IS NULL FOR UPDATE;
	IF EXISTS (SELECT 1 FROM licence l WHERE l.tenant = i.account AND l.serial >= i.serial) THEN
		RAISE EXCEPTION 'a later code is in force' USING ERRCODE = 'unique_violation';
	END IF;
	UPDATE licence l SET replaced = now() WHERE l.tenant = i.account AND l.replaced IS NULL;
	INSERT INTO licence (tenant, id, serial, kind, keys, until, issued, code, entered_by)
		VALUES (i.account, i.id, i.serial, i.kind, i.keys, i.until, i.issued, i.code, by_name);
END
$$;
GRANT EXECUTE ON FUNCTION licence_assign(uuid, text) TO keyward_central;

-- A key that the installation signs with: made by keyd, kept once. Definer: jobd makes one where nobody has yet, and has no other right on settings.
CREATE FUNCTION signing_keep(purpose text, blob text, public_key text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	IF purpose NOT IN ('signing-licence', 'signing-certificate') THEN
		RAISE EXCEPTION 'no such signing key' USING ERRCODE = 'check_violation';
	END IF;
	INSERT INTO setting (name, value) VALUES (purpose, to_jsonb(blob)) ON CONFLICT DO NOTHING;
	IF FOUND THEN
		INSERT INTO setting (name, value) VALUES ('public.' || purpose, to_jsonb(public_key));
	END IF;
END
$$;
GRANT EXECUTE ON FUNCTION signing_keep(text, text, text) TO keyward_central, keyward_jobs;
GRANT EXECUTE ON FUNCTION public_setting(text) TO keyward_central, keyward_jobs;
