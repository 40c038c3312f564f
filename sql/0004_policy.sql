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
	approvals_needed int NOT NULL DEFAULT 1 CHECK (approvals_needed BETWEEN 1 AND 20),     -- different people (RUN-8)
	approvals_of uuid[] NOT NULL DEFAULT '{}' CHECK (cardinality(approvals_of) = 0 OR cardinality(approvals_of) >= approvals_needed),
	approvals_expire_s bigint NOT NULL DEFAULT 86400 CHECK (approvals_expire_s BETWEEN 0 AND 31536000),    -- of a half-approved request
	check_scheduled boolean NOT NULL DEFAULT false,                                       -- INT-1
	on_failure text NOT NULL DEFAULT 'notify' CHECK (on_failure IN ('notify', 'revoke', 'revoke-after')),
	grace_s bigint NOT NULL DEFAULT 0 CHECK (grace_s BETWEEN 0 AND 31536000),              -- of revoke-after
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

-- A policy as text (POL-8): the columns in the shape of src/policy/document.h, approvers by their ids.
CREATE FUNCTION policy_document(p policy) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT jsonb_build_object('keyward_policy', 1, 'name', p.name, 'description', p.description, 'pooling', p.pooling,
	'rules', p.rules,
	'action', jsonb_build_object('on_match', p.on_match, 'on_mismatch', p.on_mismatch, 'timeout_s', p.timeout_s),
	'approvals', jsonb_build_object('needed', p.approvals_needed, 'of', to_jsonb(p.approvals_of), 'expires_s', p.approvals_expire_s),
	'check', jsonb_build_object('scheduled', p.check_scheduled, 'on_failure', p.on_failure, 'grace_s', p.grace_s)) $$;
GRANT EXECUTE ON FUNCTION policy_document(policy) TO keyward_console, keyward_jobs;

-- Every version that there was (POL-6): written once, with the change that made it. Images and devices are not part of a
-- version: who moved which is in the log.
CREATE TABLE policy_version (
	tenant uuid NOT NULL,
	policy uuid NOT NULL,
	version int NOT NULL,
	document jsonb NOT NULL,
	changed_by_id uuid,                     -- null: by the system
	changed_by text NOT NULL DEFAULT '',
	why text NOT NULL DEFAULT '',
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, policy, version),
	FOREIGN KEY (tenant, policy) REFERENCES policy ON DELETE CASCADE
);
SELECT isolate('policy_version');
GRANT SELECT, INSERT ON policy_version TO keyward_console;
GRANT SELECT ON policy_version TO keyward_jobs;

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
	INSERT INTO policy_version (tenant, policy, version, document)
		SELECT p.tenant, p.id, p.version, policy_document(p) FROM policy p WHERE p.tenant = NEW.id;
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

-- A policy that somebody is working on: a new one (policy is null; it gets the draft's id), or changes to one that are not saved
-- yet. Its document may be unfinished or wrong. A person sees only their own.
CREATE TABLE policy_draft (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	owner uuid NOT NULL,
	policy uuid,
	base_version int NOT NULL DEFAULT 0,    -- of the policy, when the work began
	document jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object'),
	why text NOT NULL DEFAULT '',
	created timestamptz NOT NULL DEFAULT now(),
	changed timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, owner) REFERENCES app_user ON DELETE CASCADE,
	FOREIGN KEY (tenant, policy) REFERENCES policy ON DELETE CASCADE
);
SELECT isolate('policy_draft');
CREATE UNIQUE INDEX policy_draft_owner ON policy_draft (tenant, owner, policy);
CREATE INDEX policy_draft_policy ON policy_draft (tenant, policy);
GRANT SELECT, INSERT, UPDATE, DELETE ON policy_draft TO keyward_console;

-- Images and devices that a draft puts into its policy or takes out of it: differences, so that two people who move different
-- ones do not undo each other's work.
CREATE TABLE policy_draft_member (
	tenant uuid NOT NULL,
	draft uuid NOT NULL,
	kind text NOT NULL CHECK (kind IN ('image', 'device')),
	member uuid NOT NULL,
	chosen boolean NOT NULL,
	PRIMARY KEY (tenant, draft, kind, member),
	FOREIGN KEY (tenant, draft) REFERENCES policy_draft ON DELETE CASCADE
);
SELECT isolate('policy_draft_member');
GRANT SELECT, INSERT, UPDATE (chosen), DELETE ON policy_draft_member TO keyward_console;
