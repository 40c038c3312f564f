-- Accounts that end (TEN-7): announced, waited for, exported, destroyed, certified.

-- While it waits the account works as ever, so that its people can move; null: nothing is announced.
ALTER TABLE tenant ADD COLUMN close_at timestamptz;
GRANT SELECT (close_at), UPDATE (close_at) ON tenant TO keyward_central;
GRANT SELECT (close_at) ON tenant TO keyward_jobs;

-- The operator's record of it, kept with the certificate. ACCOUNT, not tenant: no process of a tenant has any right here.
CREATE TABLE tenant_closure (
	id uuid PRIMARY KEY,
	account uuid NOT NULL REFERENCES tenant,
	name text NOT NULL,                     -- as it was called
	requested timestamptz NOT NULL DEFAULT now(),
	requested_by text NOT NULL,
	reason text NOT NULL DEFAULT '',
	close_at timestamptz NOT NULL,
	cancelled timestamptz,
	cancelled_by text,
	shredded timestamptz,                   -- its key is gone: there is no way back
	facts jsonb,                            -- what there was then, in numbers
	removed bigint NOT NULL DEFAULT 0,      -- rows since then
	finished timestamptz,
	certificate bytea,                      -- PDF
	signature bytea                         -- Ed25519 over it
);
CREATE UNIQUE INDEX tenant_closure_open ON tenant_closure (account) WHERE cancelled IS NULL;
GRANT SELECT, INSERT (id, account, name, requested_by, reason, close_at), UPDATE (cancelled, cancelled_by) ON tenant_closure TO keyward_central;

-- The default policy stays as long as its account does.
CREATE OR REPLACE FUNCTION policy_keep_default() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM tenant t WHERE t.id = OLD.tenant AND t.state = 'closing') THEN
		RETURN OLD;
	END IF;
	IF TG_OP = 'DELETE' THEN
		RAISE EXCEPTION 'the default policy cannot be deleted' USING ERRCODE = 'restrict_violation';
	END IF;
	RAISE EXCEPTION 'which policy is the default cannot be changed' USING ERRCODE = 'restrict_violation';
END
$$;

-- The step without return: what was announced, is due and was not cancelled loses its key, and is counted in the same moment. False: it is not
-- to be. Definer, these four: jobd has no right on an account's rows beyond its work, and none on the operator's.
CREATE FUNCTION tenant_shred(closure uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
	c tenant_closure;
	counted jsonb;
BEGIN
	SELECT * INTO c FROM tenant_closure x WHERE x.id = closure FOR UPDATE;
	IF NOT FOUND OR c.cancelled IS NOT NULL OR c.finished IS NOT NULL OR c.close_at > now() THEN
		RETURN false;
	END IF;
	IF c.shredded IS NOT NULL THEN
		RETURN true;
	END IF;
	PERFORM 1 FROM tenant t WHERE t.id = c.account FOR UPDATE;
	PERFORM set_config('keyward.tenant', c.account::text, true);
	SELECT jsonb_build_object('devices', (SELECT count(*) FROM device), 'device_keys', (SELECT count(*) FROM device_key), 'users',
		(SELECT count(*) FROM app_user), 'policies', (SELECT count(*) FROM policy), 'instances', (SELECT count(*) FROM instance), 'requests',
		(SELECT count(*) FROM key_request), 'entries', coalesce((SELECT h.seq FROM audit_head h WHERE h.tenant = c.account), 0), 'log',
		(SELECT encode(h.hash, 'hex') FROM audit_head h WHERE h.tenant = c.account)) INTO counted;
	PERFORM set_config('keyward.tenant', former, true);
	UPDATE tenant t SET wrapped_key = NULL, key_id = NULL, former_key_id = NULL, state = 'closing', state_changed = now(), settings = '{}'
		WHERE t.id = c.account;
	UPDATE tenant_closure x SET shredded = now(), facts = counted WHERE x.id = closure;
	RETURN true;
END
$$;

-- At most MOST rows of each table that has a tenant; how many in all. Children go first: what others refer to waits for the next call.
CREATE FUNCTION tenant_shred_rows(closure uuid, most int) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
	target uuid;
	t regclass;
	n bigint;
	gone bigint := 0;
BEGIN
	SELECT x.account INTO target FROM tenant_closure x WHERE x.id = closure AND x.shredded IS NOT NULL AND x.finished IS NULL FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this account is not to be destroyed' USING ERRCODE = 'insufficient_privilege';
	END IF;
	PERFORM set_config('keyward.tenant', target::text, true);
	FOR t IN SELECT r.oid::regclass FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = 'tenant' AND NOT a.attisdropped
			WHERE r.relnamespace = 'public'::regnamespace AND r.relkind IN ('r', 'p') AND NOT r.relispartition ORDER BY r.relname LOOP
		BEGIN
			EXECUTE format('DELETE FROM %s WHERE tenant = $1 AND (tableoid, ctid) IN (SELECT tableoid, ctid FROM %s WHERE tenant = $1 LIMIT $2)',
				t, t) USING target, most;
			GET DIAGNOSTICS n = ROW_COUNT;
			gone := gone + n;
		EXCEPTION WHEN foreign_key_violation THEN
			NULL;
		END;
	END LOOP;
	PERFORM set_config('keyward.tenant', former, true);
	UPDATE tenant_closure x SET removed = removed + gone WHERE x.id = closure;
	RETURN gone;
END
$$;

CREATE FUNCTION tenant_closure_facts(closure uuid) RETURNS TABLE (account uuid, slug text, name text, created timestamptz, requested timestamptz,
	requested_by text, reason text, close_at timestamptz, shredded timestamptz, facts jsonb, removed bigint, rows_left boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT c.account, t.slug, c.name, t.created, c.requested, c.requested_by, c.reason, c.close_at, c.shredded, c.facts, c.removed,
		t.wrapped_key IS NOT NULL FROM tenant_closure c JOIN tenant t ON t.id = c.account
		WHERE c.id = closure AND c.shredded IS NOT NULL AND c.finished IS NULL;
END
$$;

CREATE FUNCTION tenant_closed(closure uuid, pdf bytea, signed bytea) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	target uuid;
BEGIN
	UPDATE tenant_closure x SET finished = now(), certificate = pdf, signature = signed
		WHERE x.id = closure AND x.shredded IS NOT NULL AND x.finished IS NULL RETURNING x.account INTO target;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this account is not to be destroyed' USING ERRCODE = 'insufficient_privilege';
	END IF;
	UPDATE tenant t SET state = 'closed', state_changed = now(), close_at = NULL, state_reason = NULL WHERE t.id = target;
END
$$;
GRANT EXECUTE ON FUNCTION tenant_shred(uuid), tenant_shred_rows(uuid, int), tenant_closure_facts(uuid), tenant_closed(uuid, bytea, bytea)
	TO keyward_jobs;

-- An account's data for its own administrator: a zip, made by jobd, kept for a few days. No key, password, token or secret is in it.
CREATE TABLE tenant_export (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	requested timestamptz NOT NULL DEFAULT now(),
	requested_by text NOT NULL,
	state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
	error text,
	bytes bigint NOT NULL DEFAULT 0,
	rows bigint NOT NULL DEFAULT 0,
	finished timestamptz,
	PRIMARY KEY (tenant, id)
);
SELECT isolate('tenant_export');
CREATE UNIQUE INDEX tenant_export_running ON tenant_export (tenant) WHERE state = 'running';
CREATE TABLE tenant_export_part (
	tenant uuid NOT NULL,
	export uuid NOT NULL,
	part int NOT NULL,
	data bytea NOT NULL,
	PRIMARY KEY (tenant, export, part),
	FOREIGN KEY (tenant, export) REFERENCES tenant_export ON DELETE CASCADE
);
SELECT isolate('tenant_export_part');
GRANT SELECT, INSERT ON tenant_export TO keyward_console;
GRANT SELECT ON tenant_export_part TO keyward_console;
GRANT SELECT, UPDATE (state, error, bytes, rows, finished), DELETE ON tenant_export TO keyward_jobs;
GRANT SELECT, INSERT, DELETE ON tenant_export_part TO keyward_jobs;
-- What goes into it and was none of jobd's business so far: never a password, token, passphrase, verifier, wrapped key or credential.
GRANT SELECT (tenant, id, email, name, role, state, created, last_sign_in) ON app_user TO keyward_jobs;
