-- Tenants, their users and their sessions.

CREATE TABLE tenant (
	id uuid PRIMARY KEY,
	slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'closing', 'closed')),
	state_reason text,
	wrapped_key bytea,                      -- the tenant key under the root key; null once destroyed
	time_zone text NOT NULL DEFAULT 'UTC',
	settings jsonb NOT NULL DEFAULT '{}',   -- the tenant's own
	created timestamptz NOT NULL DEFAULT now(),
	state_changed timestamptz NOT NULL DEFAULT now()
);
-- The operator sees all tenants, a tenant's processes just their own; functions of the owner (below) see all.
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_self ON tenant FOR ALL TO keyward_console, keyward_agent, keyward_jobs
	USING (id = nullif(current_setting('keyward.tenant', true), '')::uuid)
	WITH CHECK (id = nullif(current_setting('keyward.tenant', true), '')::uuid);
CREATE POLICY tenant_operator ON tenant FOR ALL TO keyward_central USING (true) WITH CHECK (true);
CREATE POLICY tenant_owner ON tenant FOR ALL TO keyward_owner USING (true) WITH CHECK (true);
-- The operator writes a new tenant's wrapped key once and cannot read one; settings are the tenant's.
GRANT SELECT (id, slug, name, state, state_reason, created, state_changed), INSERT (id, slug, name, wrapped_key, time_zone),
	UPDATE (name, state, state_reason, state_changed) ON tenant TO keyward_central;
GRANT SELECT, UPDATE (time_zone, settings) ON tenant TO keyward_console;
GRANT SELECT (id, slug, name, state, wrapped_key, time_zone, settings) ON tenant TO keyward_agent, keyward_jobs;

-- Under which an agent enrols: the passphrase (readable by the tenant's administrators, TEN-1) and the verifier derived from it
-- (used by the agent service); both are opaque blobs made by keyd.
CREATE TABLE provisioning (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	passphrase bytea NOT NULL,
	verifier bytea NOT NULL,
	changed timestamptz NOT NULL DEFAULT now()
);
SELECT isolate('provisioning');
GRANT SELECT, INSERT, UPDATE ON provisioning TO keyward_console;
GRANT SELECT (tenant, verifier, changed) ON provisioning TO keyward_agent;

CREATE TABLE app_user (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	role text NOT NULL CHECK (role IN ('account-administrator', 'security-administrator', 'data-analyst', 'auditor', 'key-approver')),
	password text,                          -- argon2id in its own notation; null until the invitation is accepted
	state text NOT NULL DEFAULT 'invited' CHECK (state IN ('invited', 'active', 'disabled')),
	failures int NOT NULL DEFAULT 0,
	locked_until timestamptz,
	last_sign_in timestamptz,
	mail boolean NOT NULL DEFAULT true,     -- wants to be told by mail
	created timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, id),
	CHECK (state = 'invited' OR password IS NOT NULL)
);
SELECT isolate('app_user');
CREATE UNIQUE INDEX app_user_email ON app_user (tenant, lower(email));
CREATE INDEX app_user_name ON app_user (tenant, name, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON app_user TO keyward_console;
GRANT SELECT (tenant, id, email, name, role, state, mail) ON app_user TO keyward_jobs;

CREATE TABLE user_session (
	tenant uuid NOT NULL REFERENCES tenant,
	token bytea NOT NULL CHECK (length(token) = 32),         -- SHA-256 of the cookie
	id uuid NOT NULL,
	user_id uuid NOT NULL,
	csrf text NOT NULL,
	created timestamptz NOT NULL DEFAULT now(),
	last_seen timestamptz NOT NULL DEFAULT now(),
	expires timestamptz NOT NULL,
	rotated timestamptz NOT NULL DEFAULT now(),
	address text,
	user_agent text,
	PRIMARY KEY (tenant, token),
	UNIQUE (tenant, id),
	FOREIGN KEY (tenant, user_id) REFERENCES app_user ON DELETE CASCADE
);
SELECT isolate('user_session');
CREATE INDEX user_session_user ON user_session (tenant, user_id);
CREATE INDEX user_session_expires ON user_session (tenant, expires);
GRANT SELECT, INSERT, UPDATE, DELETE ON user_session TO keyward_console;
GRANT SELECT (tenant, expires), DELETE ON user_session TO keyward_jobs;

-- Single-use links: to accept an invitation, to choose a new password.
CREATE TABLE invitation (
	tenant uuid NOT NULL REFERENCES tenant,
	token bytea NOT NULL CHECK (length(token) = 32),
	kind text NOT NULL CHECK (kind IN ('invite', 'reset')),
	user_id uuid NOT NULL,
	created timestamptz NOT NULL DEFAULT now(),
	expires timestamptz NOT NULL,
	used timestamptz,
	PRIMARY KEY (tenant, token),
	FOREIGN KEY (tenant, user_id) REFERENCES app_user ON DELETE CASCADE
);
SELECT isolate('invitation');
CREATE INDEX invitation_user ON invitation (tenant, user_id);
GRANT SELECT, INSERT, DELETE, UPDATE (used) ON invitation TO keyward_console;
GRANT SELECT (tenant, expires), DELETE ON invitation TO keyward_jobs;

-- The sign-in page knows an account only by the name in its address, before anything is bound to a tenant.
CREATE FUNCTION tenant_by_slug(wanted text) RETURNS TABLE (id uuid, name text, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT t.id, t.name, t.state FROM tenant t WHERE t.slug = wanted $$;
GRANT EXECUTE ON FUNCTION tenant_by_slug(text) TO keyward_console;

-- jobd works through all tenants, bound to one at a time; it needs their ids and nothing else.
CREATE FUNCTION jobs_tenants() RETURNS TABLE (id uuid, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT t.id, t.state FROM tenant t WHERE t.state <> 'closed' ORDER BY t.id $$;
GRANT EXECUTE ON FUNCTION jobs_tenants() TO keyward_jobs;

-- The operator invites a new tenant's first administrator without any right on its users. Once anybody has accepted, the
-- operator has no way in any more (TEN-3).
CREATE FUNCTION tenant_invite_first_admin(target uuid, user_id uuid, email text, name text, token bytea, expires timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
BEGIN
	PERFORM set_config('keyward.tenant', target::text, true);
	PERFORM 1 FROM tenant t WHERE t.id = target AND t.state = 'active' FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no such active tenant' USING ERRCODE = 'no_data_found';
	END IF;
	IF EXISTS (SELECT 1 FROM app_user u WHERE u.state <> 'invited') THEN
		RAISE EXCEPTION 'the tenant has a user already' USING ERRCODE = 'insufficient_privilege';
	END IF;
	DELETE FROM app_user u WHERE u.state = 'invited';
	INSERT INTO app_user (tenant, id, email, name, role)
		VALUES (target, tenant_invite_first_admin.user_id, tenant_invite_first_admin.email, tenant_invite_first_admin.name,
			'account-administrator');
	INSERT INTO invitation (tenant, token, kind, user_id, expires)
		VALUES (target, tenant_invite_first_admin.token, 'invite', tenant_invite_first_admin.user_id,
			tenant_invite_first_admin.expires);
	-- The binding must not outlive the function; an error undoes it with everything else.
	PERFORM set_config('keyward.tenant', former, true);
END
$$;
GRANT EXECUTE ON FUNCTION tenant_invite_first_admin(uuid, uuid, text, text, bytea, timestamptz) TO keyward_central;
