-- Single sign-on by SAML (IDN-3), the same for a tenant and for the operator: what was agreed with the identity provider, requests
-- that wait for their one answer, and what ends a session from outside.

-- Marked by an administrator: the next person whom the identity provider sends with this address is this user from then on.
ALTER TABLE app_user ADD COLUMN link boolean NOT NULL DEFAULT false;
ALTER TABLE operator_user ADD COLUMN link boolean NOT NULL DEFAULT false;

CREATE TABLE saml (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	mode text NOT NULL DEFAULT 'off' CHECK (mode IN ('off', 'optional', 'required')),
	certificate text,                       -- ours
	key bytea,                              -- its private key, a blob of keyd
	idp jsonb,                              -- as saml/saml.h describes it: what is believed
	proposed jsonb,                         -- imported, and not confirmed
	settings jsonb NOT NULL DEFAULT '{}',   -- identity/arrival.h
	break_glass uuid,                       -- the local administrator who can sign in whatever happens
	test jsonb,                             -- what the last test sign-in brought
	tested timestamptz,
	CHECK (mode = 'off' OR (idp IS NOT NULL AND key IS NOT NULL)),
	CHECK (mode <> 'required' OR break_glass IS NOT NULL),
	FOREIGN KEY (tenant, break_glass) REFERENCES app_user
);
SELECT isolate('saml');
GRANT SELECT, INSERT, UPDATE ON saml TO keyward_console;
GRANT SELECT (tenant, key), UPDATE (key) ON saml TO keyward_jobs;
CREATE TABLE operator_saml (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	mode text NOT NULL DEFAULT 'off' CHECK (mode IN ('off', 'optional', 'required')),
	certificate text,                       -- its private key is in setting
	idp jsonb,
	proposed jsonb,
	settings jsonb NOT NULL DEFAULT '{}',
	break_glass uuid REFERENCES operator_user,
	test jsonb,
	tested timestamptz,
	CHECK (mode = 'off' OR (idp IS NOT NULL AND certificate IS NOT NULL)),
	CHECK (mode <> 'required' OR break_glass IS NOT NULL)
);
GRANT SELECT, INSERT, UPDATE ON operator_saml TO keyward_central;

-- A request that a browser has carried away: answered once, by that browser, soon, or never.
CREATE TABLE saml_request (
	tenant uuid NOT NULL REFERENCES tenant,
	id text NOT NULL CHECK (length(id) BETWEEN 20 AND 80),
	browser bytea NOT NULL CHECK (length(browser) = 32),     -- SHA-256 of its cookie
	purpose text NOT NULL CHECK (purpose IN ('sign-in', 'test', 'sign-out')),
	user_id uuid,                           -- who tries it out
	return_to text NOT NULL DEFAULT '',
	expires timestamptz NOT NULL,
	PRIMARY KEY (tenant, id)
);
SELECT isolate('saml_request');
CREATE INDEX saml_request_expires ON saml_request (tenant, expires);
GRANT SELECT, INSERT, DELETE ON saml_request TO keyward_console;
CREATE TABLE operator_saml_request (
	id text PRIMARY KEY CHECK (length(id) BETWEEN 20 AND 80),
	browser bytea NOT NULL CHECK (length(browser) = 32),
	purpose text NOT NULL CHECK (purpose IN ('sign-in', 'test', 'sign-out')),
	user_id uuid,
	return_to text NOT NULL DEFAULT '',
	expires timestamptz NOT NULL
);
CREATE INDEX operator_saml_request_expires ON operator_saml_request (expires);
GRANT SELECT, INSERT, DELETE ON operator_saml_request TO keyward_central;

-- Under which name a session is known at the identity provider: it can end it, and is told of its end.
CREATE TABLE saml_session (
	tenant uuid NOT NULL REFERENCES tenant,
	session uuid NOT NULL,
	issuer text NOT NULL,
	name_id text NOT NULL,
	format text NOT NULL,
	index text,
	PRIMARY KEY (tenant, session),
	FOREIGN KEY (tenant, session) REFERENCES user_session (tenant, id) ON DELETE CASCADE
);
SELECT isolate('saml_session');
CREATE INDEX saml_session_name ON saml_session (tenant, issuer, name_id);
GRANT SELECT, INSERT, DELETE ON saml_session TO keyward_console;
CREATE TABLE operator_saml_session (
	session uuid PRIMARY KEY REFERENCES operator_session (id) ON DELETE CASCADE,
	issuer text NOT NULL,
	name_id text NOT NULL,
	format text NOT NULL,
	index text
);
CREATE INDEX operator_saml_session_name ON operator_saml_session (issuer, name_id);
GRANT SELECT, INSERT, DELETE ON operator_saml_session TO keyward_central;
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF key ON saml FOR EACH ROW EXECUTE FUNCTION under_tenant_key('key');
