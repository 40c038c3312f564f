-- What everything else stands on: privileges, the tenant of a transaction, and the tables of the installation itself.
-- Applied by `keyward migrate` as keyward_owner. Migrations only go forward: never change one that was released.

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO keyward_central, keyward_console, keyward_agent, keyward_jobs;
-- Nobody may call a function, or use a type's default rights, unless a grant below says so.
ALTER DEFAULT PRIVILEGES FOR ROLE keyward_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
-- A temporary table could stand in front of a real one.
DO $$
BEGIN
	EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
	EXECUTE format('GRANT CONNECT ON DATABASE %I TO keyward_central, keyward_console, keyward_agent, keyward_jobs',
		current_database());
END
$$;

-- The tenant that the transaction is bound to; null when to none. Set by src/store/db.c.
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('keyward.tenant', true), '')::uuid $$;
GRANT EXECUTE ON FUNCTION current_tenant() TO keyward_central, keyward_console, keyward_agent, keyward_jobs;

-- Every table with a column `tenant` gets this line right after its definition: TEN-4.
CREATE FUNCTION isolate(target regclass) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
	EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
	EXECUTE format('CREATE POLICY tenant ON %s'
		' USING (tenant = nullif(current_setting(''keyward.tenant'', true), '''')::uuid)'
		' WITH CHECK (tenant = nullif(current_setting(''keyward.tenant'', true), '''')::uuid)', target);
END
$$;

-- Settings of the installation: the operator's.
CREATE TABLE setting (
	name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
	value jsonb NOT NULL,
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text
);
GRANT SELECT, INSERT, UPDATE, DELETE ON setting TO keyward_central;
GRANT SELECT ON setting TO keyward_jobs;
-- Consoles and agents need the addresses they hand out, not what else an operator keeps (mail passwords, say).
CREATE FUNCTION public_setting(wanted text) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT value FROM setting WHERE name = wanted AND name LIKE 'public.%' $$;
GRANT EXECUTE ON FUNCTION public_setting(text) TO keyward_console, keyward_agent;

-- The one-time code of the set-up page (ADM-3). Only its hash is kept.
CREATE TABLE setup_code (
	hash bytea PRIMARY KEY CHECK (length(hash) = 32),
	created timestamptz NOT NULL DEFAULT now(),
	expires timestamptz NOT NULL,
	used timestamptz
);
GRANT SELECT, INSERT, DELETE ON setup_code TO keyward_central;
GRANT UPDATE (used) ON setup_code TO keyward_central;

CREATE TABLE operator_user (
	id uuid PRIMARY KEY,
	email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	role text NOT NULL CHECK (role IN ('msp-administrator', 'tenant-manager', 'system-operator', 'auditor')),
	password text,                          -- argon2id in its own notation; null until the invitation is accepted
	state text NOT NULL DEFAULT 'invited' CHECK (state IN ('invited', 'active', 'disabled')),
	failures int NOT NULL DEFAULT 0,        -- sign-ins since the last good one
	locked_until timestamptz,
	last_sign_in timestamptz,
	created timestamptz NOT NULL DEFAULT now(),
	CHECK (state = 'invited' OR password IS NOT NULL)
);
CREATE UNIQUE INDEX operator_user_email ON operator_user (lower(email));
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_user TO keyward_central;

CREATE TABLE operator_session (
	token bytea PRIMARY KEY CHECK (length(token) = 32),      -- SHA-256 of the cookie
	id uuid NOT NULL UNIQUE,                                 -- shown in lists, revoked by
	user_id uuid NOT NULL REFERENCES operator_user ON DELETE CASCADE,
	csrf text NOT NULL,
	created timestamptz NOT NULL DEFAULT now(),
	last_seen timestamptz NOT NULL DEFAULT now(),
	expires timestamptz NOT NULL,                            -- absolute
	rotated timestamptz NOT NULL DEFAULT now(),
	address text,
	user_agent text
);
CREATE INDEX operator_session_user ON operator_session (user_id);
CREATE INDEX operator_session_expires ON operator_session (expires);
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_session TO keyward_central;

CREATE TABLE operator_invitation (
	token bytea PRIMARY KEY CHECK (length(token) = 32),
	kind text NOT NULL CHECK (kind IN ('invite', 'reset')),
	user_id uuid NOT NULL REFERENCES operator_user ON DELETE CASCADE,
	created timestamptz NOT NULL DEFAULT now(),
	expires timestamptz NOT NULL,
	used timestamptz
);
CREATE INDEX operator_invitation_user ON operator_invitation (user_id);
GRANT SELECT, INSERT, DELETE ON operator_invitation TO keyward_central;
GRANT UPDATE (used) ON operator_invitation TO keyward_central;

-- What jobd and others may know of the migrations is only how far they are. The table itself is made by `keyward migrate`.
CREATE FUNCTION schema_version() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT max(name) FROM schema_migration $$;
GRANT EXECUTE ON FUNCTION schema_version() TO keyward_central, keyward_console, keyward_agent, keyward_jobs;
