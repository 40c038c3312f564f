-- People who sign in: browsers that they have signed in with, second factors, sign-ins that are not complete (IDN-1, IDN-5, IDN-6).

-- A browser that a user has signed in with has a token. Wrong passwords from others close the door to all but these, so that nobody can keep
-- a user out; wrong ones from a known browser count against that browser. And whoever signs in from an unknown one, the user is told.
CREATE TABLE known_browser (
	tenant uuid NOT NULL REFERENCES tenant,
	user_id uuid NOT NULL,
	token bytea NOT NULL CHECK (length(token) = 32),         -- SHA-256 of the cookie
	failures int NOT NULL DEFAULT 0,
	created timestamptz NOT NULL DEFAULT now(),
	last_used timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, user_id, token),
	FOREIGN KEY (tenant, user_id) REFERENCES app_user ON DELETE CASCADE
);
SELECT isolate('known_browser');
CREATE INDEX known_browser_used ON known_browser (tenant, last_used);
GRANT SELECT, INSERT, UPDATE, DELETE ON known_browser TO keyward_console;
GRANT SELECT (tenant, last_used), DELETE ON known_browser TO keyward_jobs;

CREATE TABLE operator_browser (
	user_id uuid NOT NULL REFERENCES operator_user ON DELETE CASCADE,
	token bytea NOT NULL CHECK (length(token) = 32),
	failures int NOT NULL DEFAULT 0,
	created timestamptz NOT NULL DEFAULT now(),
	last_used timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (user_id, token)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_browser TO keyward_central;

-- TOTP. The secret is a blob of keyd: under the tenant's key, an operator's under the root key.
CREATE TABLE second_factor (
	tenant uuid NOT NULL REFERENCES tenant,
	user_id uuid NOT NULL,
	secret bytea NOT NULL,
	created timestamptz NOT NULL DEFAULT now(),
	confirmed timestamptz,                  -- null: a first code was not typed yet, and it counts for nothing
	last_step bigint NOT NULL DEFAULT 0,    -- of the last code that was taken: none of it or before is taken again
	PRIMARY KEY (tenant, user_id),
	FOREIGN KEY (tenant, user_id) REFERENCES app_user ON DELETE CASCADE
);
SELECT isolate('second_factor');
GRANT SELECT, INSERT, UPDATE, DELETE ON second_factor TO keyward_console;
GRANT SELECT (tenant, user_id, secret), UPDATE (secret) ON second_factor TO keyward_jobs;
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF secret ON second_factor FOR EACH ROW EXECUTE FUNCTION under_tenant_key('secret');

CREATE TABLE operator_factor (
	user_id uuid PRIMARY KEY REFERENCES operator_user ON DELETE CASCADE,
	secret bytea NOT NULL,
	created timestamptz NOT NULL DEFAULT now(),
	confirmed timestamptz,
	last_step bigint NOT NULL DEFAULT 0
);
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_factor TO keyward_central;
GRANT SELECT (user_id, secret), UPDATE (secret) ON operator_factor TO keyward_jobs;

-- For who has lost the device; each works once.
CREATE TABLE recovery_code (
	tenant uuid NOT NULL REFERENCES tenant,
	user_id uuid NOT NULL,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	used timestamptz,
	PRIMARY KEY (tenant, user_id, hash),
	FOREIGN KEY (tenant, user_id) REFERENCES second_factor ON DELETE CASCADE
);
SELECT isolate('recovery_code');
GRANT SELECT, INSERT, DELETE, UPDATE (used) ON recovery_code TO keyward_console;

CREATE TABLE operator_recovery_code (
	user_id uuid NOT NULL REFERENCES operator_factor ON DELETE CASCADE,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	used timestamptz,
	PRIMARY KEY (user_id, hash)
);
GRANT SELECT, INSERT, DELETE, UPDATE (used) ON operator_recovery_code TO keyward_central;

-- What the sign-in still waits for; such a session opens that one step and nothing else.
ALTER TABLE user_session ADD COLUMN step text NOT NULL DEFAULT '' CHECK (step IN ('', 'code', 'enrol'));
ALTER TABLE operator_session ADD COLUMN step text NOT NULL DEFAULT '' CHECK (step IN ('', 'code', 'enrol'));

-- Pages say whether mails can go out at all; nothing else of the mail server's settings is theirs.
CREATE FUNCTION mail_is_set() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT EXISTS (SELECT 1 FROM setting WHERE name = 'mail.server') $$;
GRANT EXECUTE ON FUNCTION mail_is_set() TO keyward_central, keyward_console;
