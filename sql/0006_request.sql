-- Key requests, the decisions on them, and orders to agents.

-- Types of their own: a table's checks would be parsed and made ready again by every statement that writes to it, and a key's
-- delivery is such a statement.
CREATE DOMAIN request_status AS text CHECK (VALUE IN ('pending', 'approved', 'delivered', 'denied', 'revoking', 'revoked'));
CREATE DOMAIN request_integrity AS text CHECK (VALUE IN ('good', 'bad', 'unknown', 'failed'));
CREATE DOMAIN request_access AS text CHECK (VALUE IN ('read-only', 'read-write'));
CREATE DOMAIN one_time_key AS bytea CHECK (length(VALUE) = 65);          -- P-256 point, uncompressed
CREATE DOMAIN agent_signature AS bytea CHECK (length(VALUE) = 64);

CREATE TABLE key_request (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	device uuid NOT NULL,
	instance uuid NOT NULL,
	agent uuid NOT NULL,
	image uuid,
	policy uuid,                            -- the one that judged; null once that is deleted
	policy_name text NOT NULL DEFAULT '',
	policy_version int NOT NULL DEFAULT 0,
	status request_status NOT NULL DEFAULT 'pending',
	integrity request_integrity NOT NULL DEFAULT 'unknown',
	access request_access NOT NULL,
	mount_point text NOT NULL DEFAULT '',
	reason text NOT NULL DEFAULT '',
	recipient_key one_time_key NOT NULL,
	signature agent_signature NOT NULL,      -- of the agent over that key
	facts jsonb NOT NULL DEFAULT '{}',
	address text NOT NULL DEFAULT '',       -- as the server saw it
	verdict jsonb,
	approve_at timestamptz,                 -- automatic approval after a time (POL-4)
	requested timestamptz NOT NULL DEFAULT now(),
	decided timestamptz,
	decided_by uuid,                        -- null: by policy
	decided_by_name text,
	comment text,
	delivered timestamptz,
	key_version int,
	opened timestamptz,                     -- the agent said that the volume is mounted
	revoke_at timestamptz,                  -- the end of the grace period; the order goes out then (INT-2)
	revoke_by text CHECK (revoke_by IN ('check', 'person')),         -- who takes it back: a check gives back only what a check took
	revoke_ordered timestamptz,             -- the agent is told to close; null while Revoking is only announced
	revoked timestamptz,                    -- the agent has closed it
	recheck_at timestamptz,                 -- while Revoking or Revoked: when jobd is to look at it again
	closed timestamptz,                     -- it is over; status keeps what it was last
	closed_reason text,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, device) REFERENCES device ON DELETE CASCADE,
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE CASCADE,
	FOREIGN KEY (tenant, agent) REFERENCES agent,
	FOREIGN KEY (tenant, policy) REFERENCES policy ON DELETE SET NULL (policy)
);
SELECT isolate('key_request');
-- A device has at most one open request from an instance.
CREATE UNIQUE INDEX key_request_open ON key_request (tenant, device, instance) WHERE closed IS NULL;
CREATE INDEX key_request_requested ON key_request (tenant, requested, id);
CREATE INDEX key_request_open_requested ON key_request (tenant, requested, id) WHERE closed IS NULL;
CREATE INDEX key_request_open_status ON key_request (tenant, status) WHERE closed IS NULL;
CREATE INDEX key_request_instance ON key_request (tenant, instance, requested);
CREATE INDEX key_request_agent ON key_request (tenant, agent) WHERE closed IS NULL;
CREATE INDEX key_request_policy ON key_request (tenant, policy);
CREATE INDEX key_request_revocation ON key_request (tenant, id) WHERE closed IS NULL AND status IN ('revoking', 'revoked');
CREATE INDEX key_request_timed ON key_request (tenant, approve_at) WHERE closed IS NULL AND status = 'pending';
GRANT SELECT, UPDATE (policy, policy_name, policy_version, status, integrity, verdict, approve_at, decided, decided_by,
	decided_by_name, comment, revoke_at, revoke_by, revoke_ordered, recheck_at, closed, closed_reason) ON key_request
	TO keyward_console;
GRANT SELECT, INSERT, UPDATE (policy, policy_name, policy_version, status, integrity, verdict, approve_at, decided, comment,
	delivered, key_version, opened, revoke_at, revoke_by, revoke_ordered, revoked, recheck_at, recipient_key, signature, facts, address,
	access, mount_point, closed, closed_reason) ON key_request TO keyward_agent;
GRANT SELECT, UPDATE (status, integrity, verdict, approve_at, decided, comment, revoke_at, revoke_by, revoke_ordered, revoked, recheck_at,
	closed, closed_reason) ON key_request TO keyward_jobs;
-- A key that may be asked for again (INT-4) is a question anew: nothing of the former decision counts, and who made it is not for the
-- agent service to change otherwise.
CREATE FUNCTION key_request_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.decided := NULL;
	NEW.decided_by := NULL;
	NEW.decided_by_name := NULL;
	NEW.comment := NULL;
	NEW.delivered := NULL;
	NEW.key_version := NULL;
	NEW.opened := NULL;
	NEW.revoke_at := NULL;
	NEW.revoke_by := NULL;
	NEW.revoke_ordered := NULL;
	NEW.revoked := NULL;
	NEW.recheck_at := NULL;
	RETURN NEW;
END
$$;
CREATE TRIGGER key_request_again BEFORE UPDATE OF status ON key_request FOR EACH ROW
	WHEN (OLD.status = 'revoked' AND NEW.status = 'pending') EXECUTE FUNCTION key_request_again();

CREATE TABLE key_decision (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	request uuid NOT NULL,
	decision text NOT NULL,                 -- the event of the state table: "approve", "deny", "revoke", ...
	at timestamptz NOT NULL DEFAULT now(),
	by_kind text NOT NULL,
	by_id uuid,
	by_name text,
	comment text,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, request) REFERENCES key_request ON DELETE CASCADE
);
SELECT isolate('key_decision');
CREATE INDEX key_decision_request ON key_decision (tenant, request, at);
GRANT SELECT, INSERT ON key_decision TO keyward_console, keyward_agent, keyward_jobs;

-- What agents are to do; given with heartbeats until the agent reports it done.
CREATE TABLE agent_order (
	tenant uuid NOT NULL,
	id uuid NOT NULL,
	agent uuid NOT NULL,
	kind text NOT NULL,                     -- as the agent protocol names orders
	device uuid,
	argument text NOT NULL DEFAULT '',
	created timestamptz NOT NULL DEFAULT now(),
	created_by text,
	taken timestamptz,                      -- first given to the agent
	finished timestamptz,
	done boolean,
	detail text,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, agent) REFERENCES agent ON DELETE CASCADE,
	FOREIGN KEY (tenant, device) REFERENCES device ON DELETE CASCADE
);
SELECT isolate('agent_order');
CREATE INDEX agent_order_open ON agent_order (tenant, agent, created) WHERE finished IS NULL;
GRANT SELECT, INSERT ON agent_order TO keyward_console, keyward_jobs;
GRANT SELECT, INSERT, UPDATE (taken, finished, done, detail) ON agent_order TO keyward_agent;
