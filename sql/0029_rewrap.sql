-- Keys that are wrapped again (KEY-6): the root key, or a tenant's key, is replaced while everything goes on.

-- The key that a blob of keyd says it is under (src/keys/blob.h); null for what is no blob.
CREATE FUNCTION blob_key(blob bytea) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN length(blob) >= 45 THEN encode(substr(blob, 2, 16), 'hex')::uuid END $$;
GRANT EXECUTE ON FUNCTION blob_key(bytea) TO keyward_jobs;

-- The installation's root key. What is left to do is asked of the rows themselves; this says who began it and how far it is.
CREATE TABLE root_rotation (
	id uuid PRIMARY KEY,
	root uuid NOT NULL,                     -- id of the new root key
	provider text NOT NULL,
	state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done')),
	total bigint NOT NULL,
	done bigint NOT NULL DEFAULT 0,
	error text,                             -- why it does not go on
	started timestamptz NOT NULL DEFAULT now(),
	started_by text NOT NULL,
	finished timestamptz
);
CREATE UNIQUE INDEX root_rotation_running ON root_rotation ((true)) WHERE state = 'running';
GRANT SELECT ON root_rotation TO keyward_central;
GRANT SELECT, INSERT, UPDATE (total, done, error, state, finished) ON root_rotation TO keyward_jobs;

-- Tenants whose key is under another root key, from AFTER on. Definer: jobd learns ids, and binds to each.
CREATE FUNCTION root_rotation_left(root uuid, after uuid, most int) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT t.id FROM tenant t WHERE t.id > after AND t.wrapped_key IS NOT NULL AND blob_key(t.wrapped_key) IS DISTINCT FROM root
	ORDER BY t.id LIMIT most $$;
CREATE FUNCTION root_rotation_count(root uuid) RETURNS TABLE (left_over bigint, everything bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT count(*) FILTER (WHERE blob_key(t.wrapped_key) IS DISTINCT FROM root), count(*) FROM tenant t WHERE t.wrapped_key IS NOT NULL $$;
-- How many tenants' keys are under this very root key: nothing may be, before it is retired.
CREATE FUNCTION root_rotation_under(root uuid) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT count(*) FROM tenant t WHERE blob_key(t.wrapped_key) = root $$;
-- A secret among the settings, wrapped again; nothing when it is another one by now.
CREATE FUNCTION setting_rewrapped(setting_name text, before json, after json) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	WITH u AS (UPDATE setting SET value = after::jsonb WHERE name = setting_name AND value = before::jsonb RETURNING 1)
	SELECT EXISTS (SELECT 1 FROM u)
$$;
GRANT EXECUTE ON FUNCTION root_rotation_left(uuid, uuid, int), root_rotation_count(uuid), root_rotation_under(uuid),
	setting_rewrapped(text, json, json) TO keyward_jobs;
GRANT EXECUTE ON FUNCTION root_rotation_count(uuid) TO keyward_central;

-- A tenant's key. While it is replaced, tenant.wrapped_key holds both, and the columns say which they are.
ALTER TABLE tenant ADD COLUMN key_id uuid,      -- null: it was never replaced
	ADD COLUMN former_key_id uuid,          -- what is being replaced; null: nothing
	ADD COLUMN key_changed timestamptz NOT NULL DEFAULT now();
UPDATE tenant SET key_changed = created;
GRANT UPDATE (wrapped_key, key_id, former_key_id, key_changed) ON tenant TO keyward_jobs;
GRANT SELECT (key_id, former_key_id, key_changed) ON tenant TO keyward_jobs;

CREATE TABLE tenant_rotation (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done')),
	total bigint NOT NULL DEFAULT 0,
	done bigint NOT NULL DEFAULT 0,
	error text,
	started timestamptz NOT NULL DEFAULT now(),
	started_by text NOT NULL,
	finished timestamptz,
	PRIMARY KEY (tenant, id)
);
SELECT isolate('tenant_rotation');
CREATE UNIQUE INDEX tenant_rotation_running ON tenant_rotation (tenant) WHERE state = 'running';
GRANT SELECT, INSERT ON tenant_rotation TO keyward_console;
GRANT SELECT, INSERT, UPDATE (total, done, error, state, finished) ON tenant_rotation TO keyward_jobs;

-- What is under a tenant's key, for jobd to wrap again.
GRANT SELECT, UPDATE (passphrase, verifier) ON provisioning TO keyward_jobs;
GRANT UPDATE (api_key) ON deep_security TO keyward_jobs;
GRANT SELECT (tenant, image, secret), UPDATE (secret) ON image_credential TO keyward_jobs;

-- Nothing is written under a key that the tenant does not have any more, whoever has read it before: the row is locked against the
-- rotation's last step, which drops the former key. Definer: for the lock. ARG: the column.
CREATE FUNCTION under_tenant_key() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	blob bytea;
	newest uuid;
	former uuid;
BEGIN
	EXECUTE format('SELECT ($1).%I', TG_ARGV[0]) INTO blob USING NEW;
	IF blob_key(blob) IS NULL THEN
		RETURN NEW;
	END IF;
	SELECT t.key_id, t.former_key_id INTO newest, former FROM tenant t WHERE t.id = NEW.tenant FOR SHARE;
	IF newest IS NOT NULL AND blob_key(blob) <> newest AND blob_key(blob) IS DISTINCT FROM former THEN
		RAISE EXCEPTION 'wrapped under a key that the tenant does not have any more' USING ERRCODE = 'serialization_failure';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF wrapped ON device_key FOR EACH ROW EXECUTE FUNCTION under_tenant_key('wrapped');
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF passphrase ON provisioning FOR EACH ROW
	EXECUTE FUNCTION under_tenant_key('passphrase');
CREATE TRIGGER under_tenant_key_too BEFORE INSERT OR UPDATE OF verifier ON provisioning FOR EACH ROW
	EXECUTE FUNCTION under_tenant_key('verifier');
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF api_key ON deep_security FOR EACH ROW EXECUTE FUNCTION under_tenant_key('api_key');
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF secret ON image_credential FOR EACH ROW EXECUTE FUNCTION under_tenant_key('secret');
