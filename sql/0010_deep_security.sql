-- Deep Security Manager (ADM-4): the connection as the tenant has set it, and what the manager said of its machines.

CREATE TABLE deep_security (
	tenant uuid PRIMARY KEY REFERENCES tenant,
	enabled boolean NOT NULL DEFAULT false,
	url text NOT NULL DEFAULT '' CHECK (length(url) <= 1000),
	ca text NOT NULL DEFAULT '' CHECK (length(ca) <= 65536),         -- certificates in PEM; '': the system's authorities
	api_key bytea,                          -- blob of keyd
	keep_s int NOT NULL DEFAULT 300 CHECK (keep_s BETWEEN 30 AND 86400),     -- how long an answer is good for
	changed timestamptz NOT NULL DEFAULT now(),
	test_asked timestamptz,
	tested timestamptz,
	test_error text,                        -- of the last test or question; null: it worked
	CHECK (NOT enabled OR (url <> '' AND api_key IS NOT NULL))
);
SELECT isolate('deep_security');
GRANT SELECT, INSERT, UPDATE ON deep_security TO keyward_console;
GRANT SELECT (tenant, enabled, keep_s, changed) ON deep_security TO keyward_agent;
GRANT SELECT, UPDATE (tested, test_error) ON deep_security TO keyward_jobs;

-- The newest answer about each machine. What was asked under a former connection is worth nothing: see "changed".
CREATE TABLE deep_security_answer (
	tenant uuid NOT NULL,
	instance uuid NOT NULL,
	at timestamptz NOT NULL,
	host_name text NOT NULL DEFAULT '',     -- that was asked about
	facts jsonb,                            -- null: no answer, see error
	error text,
	PRIMARY KEY (tenant, instance),
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE CASCADE
);
SELECT isolate('deep_security_answer');
GRANT SELECT ON deep_security_answer TO keyward_console, keyward_agent;
GRANT SELECT, INSERT, UPDATE ON deep_security_answer TO keyward_jobs;
