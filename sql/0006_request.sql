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
	asked_device uuid,                      -- the one the agent asked for, where resource pooling gives another (POL-5)
	pooled boolean NOT NULL DEFAULT false,  -- the policy pools its devices
	unplaced boolean NOT NULL DEFAULT false,        -- none is free: DEVICE is just the one asked for, and its key is never given
	ordered_by uuid,                        -- the user who had the device encrypted, for the first request after that ...
	assigned_by uuid,                       -- ... and who assigned the policy for this request (RUN-4): RUN-8 calls it their own
	verdict jsonb,
	waits text,                             -- why it was not approved although its time had come
	approve_at timestamptz,                 -- automatic approval after a time (POL-4)
	votes_expire timestamptz,               -- what was approved by some of several until then is void (RUN-8)
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
	-- What an approver sees and approves, in short: two requests differ in it when they ask for another thing, under another policy,
	-- from another agent, or when a rule's result is another. The actual values may pass by.
	gist text GENERATED ALWAYS AS (md5(agent::text || device::text || coalesce(policy::text, '') || access || mount_point || integrity
		|| coalesce(jsonb_path_query_array(verdict, '$.**.status')::text, ''))) STORED,
	-- When something happens to it by itself.
	due timestamptz GENERATED ALWAYS AS (CASE WHEN closed IS NULL AND status = 'pending' THEN least(approve_at, votes_expire) END)
		STORED,
	-- When a revocation's next step is due.
	revoke_due timestamptz GENERATED ALWAYS AS (CASE WHEN closed IS NULL AND status = 'revoking' AND revoke_ordered IS NULL
		THEN least(revoke_at, recheck_at) WHEN closed IS NULL AND status IN ('revoking', 'revoked') THEN recheck_at END) STORED,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, device) REFERENCES device ON DELETE CASCADE,
	FOREIGN KEY (tenant, asked_device) REFERENCES device ON DELETE SET NULL (asked_device),
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE CASCADE,
	FOREIGN KEY (tenant, agent) REFERENCES agent,
	FOREIGN KEY (tenant, policy) REFERENCES policy ON DELETE SET NULL (policy)
);
SELECT isolate('key_request');
-- A device has at most one open request from an instance.
CREATE UNIQUE INDEX key_request_open ON key_request (tenant, device, instance) WHERE closed IS NULL;
CREATE INDEX key_request_requested ON key_request (tenant, requested, id);
CREATE INDEX key_request_open_requested ON key_request (tenant, requested, id) WHERE closed IS NULL;
CREATE INDEX key_request_open_status ON key_request (tenant, status, requested, id) WHERE closed IS NULL;
CREATE INDEX key_request_device ON key_request (tenant, device, requested);
CREATE INDEX key_request_instance ON key_request (tenant, instance, requested);
CREATE INDEX key_request_agent ON key_request (tenant, agent) WHERE closed IS NULL;
CREATE INDEX key_request_policy ON key_request (tenant, policy);
CREATE INDEX key_request_revoke_due ON key_request (revoke_due) WHERE revoke_due IS NOT NULL;
CREATE INDEX key_request_person_revoked ON key_request (tenant, instance) WHERE revoke_by = 'person';
CREATE INDEX key_request_due ON key_request (due) WHERE due IS NOT NULL;
-- A pooled device is given to one instance at a time, whatever two agents ask at the same moment (POL-5).
CREATE UNIQUE INDEX key_request_pooled ON key_request (tenant, device)
	WHERE pooled AND NOT unplaced AND closed IS NULL AND status IN ('pending', 'approved', 'delivered', 'revoking');
CREATE INDEX key_request_asked ON key_request (tenant, asked_device) WHERE asked_device IS NOT NULL AND closed IS NULL;
-- The owner's functions below look at all tenants' due times.
CREATE POLICY key_request_owner ON key_request FOR SELECT TO keyward_owner USING (true);
GRANT SELECT, UPDATE (policy, policy_name, policy_version, status, integrity, assigned_by, verdict, waits, approve_at, votes_expire,
	decided, decided_by, decided_by_name, comment, revoke_at, revoke_by, revoke_ordered, recheck_at, closed, closed_reason)
	ON key_request TO keyward_console;
GRANT SELECT, INSERT, UPDATE (policy, policy_name, policy_version, status, integrity, verdict, waits, approve_at, votes_expire, decided,
	comment, delivered, key_version, opened, revoke_at, revoke_by, revoke_ordered, revoked, recheck_at, recipient_key, signature, facts,
	address, access, mount_point, pooled, closed, closed_reason) ON key_request TO keyward_agent;
GRANT SELECT, UPDATE (policy, policy_name, policy_version, status, integrity, facts, verdict, waits, approve_at, votes_expire, decided,
	decided_by, decided_by_name, comment, revoke_at, revoke_by, revoke_ordered, revoked, recheck_at, closed, closed_reason)
	ON key_request TO keyward_jobs;
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

-- Who of several approvers has approved (RUN-8): nobody twice, by the key; nobody his own, by the trigger. GIST is what he saw: the
-- approval counts as long as the request's is the same. People are known by their ids (SEC-7).
CREATE TABLE key_vote (
	tenant uuid NOT NULL,
	request uuid NOT NULL,
	approver uuid NOT NULL,
	approver_name text NOT NULL,
	gist text NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	comment text,
	PRIMARY KEY (tenant, request, approver),
	FOREIGN KEY (tenant, request) REFERENCES key_request ON DELETE CASCADE,
	FOREIGN KEY (tenant, approver) REFERENCES app_user ON DELETE CASCADE
);
SELECT isolate('key_vote');
CREATE INDEX key_vote_approver ON key_vote (tenant, approver);
GRANT SELECT, INSERT, DELETE, UPDATE (gist, at, comment, approver_name) ON key_vote TO keyward_console, keyward_jobs;
GRANT SELECT, DELETE ON key_vote TO keyward_agent;
CREATE FUNCTION key_vote_own() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT 1 FROM key_request r WHERE r.tenant = NEW.tenant AND r.id = NEW.request
		AND NEW.approver IN (r.ordered_by, r.assigned_by)) THEN
		RAISE EXCEPTION 'nobody approves his own request' USING ERRCODE = 'check_violation';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER key_vote_own BEFORE INSERT OR UPDATE ON key_vote FOR EACH ROW EXECUTE FUNCTION key_vote_own();

-- Many requests decided at once (RUN-9): what was chosen, as it was when it was listed for confirmation, and what became of each.
CREATE TABLE bulk_decision (
	tenant uuid NOT NULL REFERENCES tenant,
	id uuid NOT NULL,
	decision text NOT NULL CHECK (decision IN ('approve', 'deny')),
	state text NOT NULL DEFAULT 'prepared' CHECK (state IN ('prepared', 'running', 'done')),
	with_doubtful boolean NOT NULL DEFAULT false,   -- those whose rules failed too
	comment text,
	made_by uuid NOT NULL,
	made_by_name text NOT NULL,
	roles text[] NOT NULL,                  -- that may decide, for the approvals that count
	origin text NOT NULL DEFAULT '',        -- the list it was chosen from: its query string
	created timestamptz NOT NULL DEFAULT now(),
	started timestamptz,
	finished timestamptz,
	PRIMARY KEY (tenant, id)
);
SELECT isolate('bulk_decision');
CREATE INDEX bulk_decision_created ON bulk_decision (tenant, created);
GRANT SELECT, INSERT, UPDATE (state, with_doubtful, comment, started, finished) ON bulk_decision TO keyward_console;
GRANT SELECT, UPDATE (state, finished), DELETE ON bulk_decision TO keyward_jobs;

CREATE TABLE bulk_request (
	tenant uuid NOT NULL,
	bulk uuid NOT NULL,
	request uuid NOT NULL,
	gist text NOT NULL,                     -- as it was listed
	doubtful boolean NOT NULL,              -- a rule failed or is unknown, or no policy with rules evaluates it
	outcome text CHECK (outcome IN ('decided', 'voted', 'changed', 'refused', 'left')),
	reason text,                            -- why not, in words
	PRIMARY KEY (tenant, bulk, request),
	FOREIGN KEY (tenant, bulk) REFERENCES bulk_decision ON DELETE CASCADE,
	FOREIGN KEY (tenant, request) REFERENCES key_request ON DELETE CASCADE
);
SELECT isolate('bulk_request');
CREATE INDEX bulk_request_request ON bulk_request (tenant, request);
CREATE INDEX bulk_request_open ON bulk_request (tenant, bulk, request) WHERE outcome IS NULL;
GRANT SELECT, INSERT, UPDATE (outcome) ON bulk_request TO keyward_console;
GRANT SELECT, UPDATE (outcome, reason), DELETE ON bulk_request TO keyward_jobs;

-- What jobd does to the second: which tenants have something due, and when it need look again at the latest; null: nothing is
-- waited for. A tenant that is not active waits. Definer: jobd learns ids and times before it binds to a tenant, nothing else.
CREATE FUNCTION timers_due() RETURNS TABLE (timer text, tenant uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT 'requests', t.id FROM tenant t WHERE t.state = 'active'
		AND t.id IN (SELECT r.tenant FROM key_request r WHERE r.due <= clock_timestamp())
$$;
CREATE FUNCTION timers_next() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT r.due FROM key_request r JOIN tenant t ON t.id = r.tenant AND t.state = 'active' WHERE r.due IS NOT NULL
		ORDER BY r.due LIMIT 1
$$;
GRANT EXECUTE ON FUNCTION timers_due(), timers_next() TO keyward_jobs;

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
