-- What-if (POL-7): a document held against the requests of the last days. Nothing is decided by it.

CREATE TABLE what_if (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	policy uuid,                            -- whose requests are tried; null: a new policy's, tried on all of them
	name text NOT NULL DEFAULT '',          -- of the policy
	document jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object'),
	since timestamptz NOT NULL,
	days int NOT NULL CHECK (days BETWEEN 1 AND 365),
	state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'stopped', 'failed')),
	error text,
	total bigint NOT NULL DEFAULT 0,        -- requests to try
	done bigint NOT NULL DEFAULT 0,
	unknown bigint NOT NULL DEFAULT 0,      -- of those: nothing is kept that a rule could be held against
	changes jsonb NOT NULL DEFAULT '{}',    -- {"approve>deny": 3, ...}
	at_time timestamptz,                    -- how far it has come: the next is after this one
	at_request uuid,
	created timestamptz NOT NULL DEFAULT now(),
	created_by uuid,
	created_by_name text,
	finished timestamptz,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, policy) REFERENCES policy ON DELETE CASCADE
);
SELECT isolate('what_if');
CREATE INDEX what_if_created ON what_if (tenant, created);
CREATE INDEX what_if_policy ON what_if (tenant, policy, created);
GRANT SELECT, INSERT, UPDATE (state, finished), DELETE ON what_if TO keyward_console;
GRANT SELECT, UPDATE (state, error, total, done, unknown, changes, at_time, at_request, finished), DELETE ON what_if TO keyward_jobs;

-- The requests whose verdict would be another.
CREATE TABLE what_if_change (
	tenant uuid NOT NULL,
	run uuid NOT NULL,
	request uuid NOT NULL,
	requested timestamptz NOT NULL,
	was text NOT NULL,                      -- actions of policy/evaluate.h
	would text NOT NULL,
	reason text,                            -- the first rule that does not pass
	PRIMARY KEY (tenant, run, request),
	FOREIGN KEY (tenant, run) REFERENCES what_if ON DELETE CASCADE,
	FOREIGN KEY (tenant, request) REFERENCES key_request ON DELETE CASCADE
);
SELECT isolate('what_if_change');
CREATE INDEX what_if_change_requested ON what_if_change (tenant, run, requested, request);
GRANT SELECT ON what_if_change TO keyward_console;
GRANT SELECT, INSERT ON what_if_change TO keyward_jobs;
