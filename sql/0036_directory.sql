-- People of a directory (IDN-2): where it is, and who of a tenant's or the operator's users came from there.

-- The settings are those of src/identity/directory.h; the password of the account that searches is a blob of keyd.
CREATE TABLE directory (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	settings jsonb NOT NULL CHECK (length(settings::text) <= 70000),
	password bytea,
	changed timestamptz NOT NULL DEFAULT now()
);
SELECT isolate('directory');
GRANT SELECT, INSERT, UPDATE, DELETE ON directory TO keyward_console;
GRANT SELECT (tenant, password), UPDATE (password) ON directory TO keyward_jobs;
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF password ON directory FOR EACH ROW EXECUTE FUNCTION under_tenant_key('password');

-- Who proves somewhere else who they are has no password here, and is known by an id that stays when names change. role_fixed: the role
-- was given here and is not looked up at each sign-in.
ALTER TABLE app_user ADD source text NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'directory', 'saml')),
	ADD external_id text CHECK (length(external_id) BETWEEN 1 AND 1000), ADD role_fixed boolean NOT NULL DEFAULT true,
	DROP CONSTRAINT app_user_check,
	ADD CONSTRAINT app_user_source CHECK ((source = 'local') = (external_id IS NULL)),
	ADD CONSTRAINT app_user_proof CHECK (CASE WHEN source = 'local' THEN state = 'invited' OR password IS NOT NULL
		ELSE password IS NULL AND state <> 'invited' END);
CREATE UNIQUE INDEX app_user_external ON app_user (tenant, source, external_id) WHERE external_id IS NOT NULL;
ALTER TABLE operator_user ADD source text NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'directory', 'saml')),
	ADD external_id text CHECK (length(external_id) BETWEEN 1 AND 1000), ADD role_fixed boolean NOT NULL DEFAULT true,
	DROP CONSTRAINT operator_user_check,
	ADD CONSTRAINT operator_user_source CHECK ((source = 'local') = (external_id IS NULL)),
	ADD CONSTRAINT operator_user_proof CHECK (CASE WHEN source = 'local' THEN state = 'invited' OR password IS NOT NULL
		ELSE password IS NULL AND state <> 'invited' END);
CREATE UNIQUE INDEX operator_user_external ON operator_user (source, external_id) WHERE external_id IS NOT NULL;
