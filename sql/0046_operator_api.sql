-- What outside systems and quotas need (LIC-4, TEN-5): tokens of the operator's API, limits per account, accounts that register themselves.

-- Only the hash of a token is kept.
CREATE TABLE operator_token (
	id uuid PRIMARY KEY,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	token bytea NOT NULL UNIQUE CHECK (length(token) = 32),
	scope text NOT NULL CHECK (scope IN ('meter', 'licences', 'tenants')),
	created timestamptz NOT NULL DEFAULT now(),
	created_by text NOT NULL,
	expires timestamptz NOT NULL,
	last_used timestamptz,
	last_address text,
	revoked timestamptz,
	revoked_by text
);
GRANT SELECT, INSERT, UPDATE (last_used, last_address, revoked, revoked_by) ON operator_token TO keyward_central;

-- Limits of an account, so that one cannot starve others; null: none. The operator sets them, the account sees them.
ALTER TABLE tenant ADD COLUMN quota_devices int CHECK (quota_devices >= 0),
	ADD COLUMN quota_instances int CHECK (quota_instances >= 0),
	ADD COLUMN quota_users int CHECK (quota_users >= 0),
	ADD COLUMN quota_rate int CHECK (quota_rate > 0);       -- requests a second: of its people, and of its agents, each by themselves
GRANT SELECT (quota_devices, quota_instances, quota_users, quota_rate), UPDATE (quota_devices, quota_instances, quota_users, quota_rate) ON tenant
	TO keyward_central;
GRANT SELECT (quota_devices, quota_instances, quota_users, quota_rate) ON tenant TO keyward_agent;

-- Definer: an agent sees no users, and a tenant must not count around its row security. ARG: the column. Without a limit nothing is counted. The
-- superuser's and the owner's own work is not held to it. After the statement, with what it has added: who is known already and only says so once more
-- ("on conflict") adds nothing, and must never be refused for it.
CREATE FUNCTION within_quota() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	account uuid;
	most int;
	present bigint;
BEGIN
	IF session_user NOT IN ('keyward_console', 'keyward_agent') THEN
		RETURN NULL;
	END IF;
	SELECT f.tenant INTO account FROM fresh f LIMIT 1;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	EXECUTE format('SELECT t.quota_%I FROM tenant t WHERE t.id = $1', TG_ARGV[0]) INTO most USING account;
	IF most IS NULL THEN
		RETURN NULL;
	END IF;
	-- Locked, so that two at once do not both get the last.
	PERFORM 1 FROM tenant t WHERE t.id = account FOR NO KEY UPDATE;
	EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %I.%I x WHERE x.tenant = $1 LIMIT $2 + 1) c', TG_TABLE_SCHEMA, TG_TABLE_NAME)
		INTO present USING account, most;
	IF present > most THEN
		RAISE EXCEPTION 'the account''s quota of % % is used up: its provider can raise it', most, TG_ARGV[0]
			USING ERRCODE = 'configuration_limit_exceeded';
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER within_quota AFTER INSERT ON device REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION within_quota('devices');
CREATE TRIGGER within_quota AFTER INSERT ON instance REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION within_quota('instances');
CREATE TRIGGER within_quota AFTER INSERT ON app_user REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION within_quota('users');

-- What of them is used: numbers. Definer: the operator counts, and sees no row.
CREATE FUNCTION quota_used(target uuid) RETURNS TABLE (devices bigint, instances bigint, users bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
BEGIN
	PERFORM set_config('keyward.tenant', target::text, true);
	SELECT count(*) INTO devices FROM (SELECT 1 FROM device d WHERE d.tenant = target LIMIT 100000) x;
	SELECT count(*) INTO instances FROM (SELECT 1 FROM instance i WHERE i.tenant = target LIMIT 100000) x;
	SELECT count(*) INTO users FROM (SELECT 1 FROM app_user u WHERE u.tenant = target LIMIT 100000) x;
	PERFORM set_config('keyward.tenant', former, true);
	RETURN NEXT;
END
$$;
GRANT EXECUTE ON FUNCTION quota_used(uuid) TO keyward_central;

-- SaaS: who wants an account and has not proven the address yet. Kept until it expires, also when it was used, so that what was mailed is counted.
CREATE TABLE signup (
	token bytea PRIMARY KEY CHECK (length(token) = 32),
	email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	company text NOT NULL CHECK (length(company) BETWEEN 1 AND 200),
	created timestamptz NOT NULL DEFAULT now(),
	expires timestamptz NOT NULL,
	used timestamptz
);
CREATE INDEX signup_email ON signup (lower(email), created);
CREATE INDEX signup_created ON signup (created);
CREATE INDEX signup_expires ON signup (expires);
-- Definer, these three: before there is an account nobody is bound to one. No process of a tenant reads the table.
-- False: there were too many from this address lately; nothing is kept then, and nobody is told.
CREATE FUNCTION signup_ask(hash bytea, email text, name text, company text, expires timestamptz, mail jsonb) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	address CONSTANT text := lower(signup_ask.email);
BEGIN
	DELETE FROM signup s WHERE s.token IN (SELECT x.token FROM signup x WHERE x.expires < now() LIMIT 100 FOR UPDATE SKIP LOCKED);
	-- One after the other for one address, or many at once would each count none of the others.
	PERFORM pg_advisory_xact_lock(hashtextextended('signup ' || address, 0));
	IF (SELECT count(*) FROM signup s WHERE lower(s.email) = address AND s.created > now() - interval '1 hour') >= 3
			OR (SELECT count(*) FROM signup s WHERE lower(s.email) = address AND s.created > now() - interval '1 day') >= 6
			OR (SELECT count(*) FROM signup s WHERE s.created > now() - interval '1 hour') >= 1000 THEN
		RETURN false;
	END IF;
	INSERT INTO signup (token, email, name, company, expires) VALUES (hash, signup_ask.email, signup_ask.name, signup_ask.company, signup_ask.expires);
	INSERT INTO job (id, tenant, kind, payload) VALUES (gen_random_uuid(), NULL, 'mail', mail);
	RETURN true;
END
$$;
CREATE FUNCTION signup_find(hash bytea) RETURNS TABLE (email text, name text, company text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT s.email, s.name, s.company FROM signup s WHERE s.token = hash AND s.expires > now() AND s.used IS NULL $$;
-- The account with the quotas that such accounts begin with (null: none), and the invitation of the one who has proven the address.
CREATE FUNCTION signup_use(hash bytea, account uuid, account_slug text, wrapped bytea, user_id uuid, invitation bytea, expires timestamptz,
	devices int, instances int, users int, rate int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	s signup;
BEGIN
	UPDATE signup x SET used = now() WHERE x.token = hash AND x.expires > now() AND x.used IS NULL RETURNING * INTO s;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no such registration' USING ERRCODE = 'no_data_found';
	END IF;
	INSERT INTO tenant (id, slug, name, wrapped_key, quota_devices, quota_instances, quota_users, quota_rate)
		VALUES (account, account_slug, s.company, wrapped, devices, instances, users, rate);
	PERFORM tenant_invite_first_admin(account, user_id, s.email, s.name, invitation, expires);
END
$$;
GRANT EXECUTE ON FUNCTION signup_ask(bytea, text, text, text, timestamptz, jsonb), signup_find(bytea),
	signup_use(bytea, uuid, text, bytea, uuid, bytea, timestamptz, int, int, int, int) TO keyward_console;
