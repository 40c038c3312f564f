-- Policies, and the images and devices under them. The operator has no right on any of these tables (TEN-3).

CREATE TABLE policy (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
	description text NOT NULL DEFAULT '',
	is_default boolean NOT NULL DEFAULT false,
	pooling boolean NOT NULL DEFAULT false,
	on_match text NOT NULL DEFAULT 'manual' CHECK (on_match IN ('approve', 'manual', 'manual-timeout')),
	on_mismatch text NOT NULL DEFAULT 'manual' CHECK (on_mismatch IN ('approve', 'manual', 'deny')),
	timeout_s bigint NOT NULL DEFAULT 0 CHECK (timeout_s BETWEEN 0 AND 31536000),
	rules jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(rules) = 'array'),
	version int NOT NULL DEFAULT 1,
	created timestamptz NOT NULL DEFAULT now(),
	changed timestamptz NOT NULL DEFAULT now(),
	changed_by text,
	PRIMARY KEY (tenant, id)
);
SELECT isolate('policy');
CREATE UNIQUE INDEX policy_name ON policy (tenant, lower(name));
CREATE UNIQUE INDEX policy_default ON policy (tenant) WHERE is_default;
GRANT SELECT, INSERT, UPDATE, DELETE ON policy TO keyward_console;
GRANT SELECT ON policy TO keyward_agent, keyward_jobs;

-- The default policy stays, and stays the default (POL-1).
CREATE FUNCTION policy_keep_default() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		RAISE EXCEPTION 'the default policy cannot be deleted' USING ERRCODE = 'restrict_violation';
	END IF;
	RAISE EXCEPTION 'which policy is the default cannot be changed' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER policy_keep_default BEFORE DELETE ON policy FOR EACH ROW WHEN (OLD.is_default)
	EXECUTE FUNCTION policy_keep_default();
CREATE TRIGGER policy_keep_default_flag BEFORE UPDATE ON policy FOR EACH ROW WHEN (OLD.is_default <> NEW.is_default)
	EXECUTE FUNCTION policy_keep_default();

-- Every tenant is born with its default policy: Manual Approve, no rules. Definer, because the operator who makes the tenant
-- has no right on policies; what is written here is fixed, so the operator decides nothing by it.
CREATE FUNCTION tenant_default_policy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
BEGIN
	PERFORM set_config('keyward.tenant', NEW.id::text, true);
	INSERT INTO policy (tenant, id, name, description, is_default)
		VALUES (NEW.id, gen_random_uuid(), 'Default policy', 'For new images and devices', true);
	PERFORM set_config('keyward.tenant', former, true);
	RETURN NULL;
END
$$;
CREATE TRIGGER tenant_default_policy AFTER INSERT ON tenant FOR EACH ROW EXECUTE FUNCTION tenant_default_policy();

CREATE TABLE image (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	provider text NOT NULL,
	provider_image text NOT NULL,           -- the provider's id
	name text NOT NULL DEFAULT '',
	description text NOT NULL DEFAULT '',
	created timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, id),
	UNIQUE (tenant, provider, provider_image)
);
SELECT isolate('image');
GRANT SELECT, UPDATE (name, description), DELETE ON image TO keyward_console;
GRANT SELECT, INSERT ON image TO keyward_agent;
GRANT SELECT ON image TO keyward_jobs;

CREATE TABLE policy_image (
	tenant uuid NOT NULL,
	policy uuid NOT NULL,
	image uuid NOT NULL,
	PRIMARY KEY (tenant, policy, image),
	FOREIGN KEY (tenant, policy) REFERENCES policy ON DELETE CASCADE,
	FOREIGN KEY (tenant, image) REFERENCES image ON DELETE CASCADE
);
SELECT isolate('policy_image');
CREATE INDEX policy_image_image ON policy_image (tenant, image);
GRANT SELECT, INSERT, DELETE ON policy_image TO keyward_console;
GRANT SELECT, INSERT ON policy_image TO keyward_agent;
GRANT SELECT ON policy_image TO keyward_jobs;
