-- What the delivery of a key costs. PostgreSQL reads the expressions of a table's generated columns and the conditions of its
-- triggers anew in every statement that writes to it, whether they matter to it or not; a function's plans it keeps. So what was
-- generated is set by triggers now, which are called where a column that they look at is written.

ALTER TABLE key_request ALTER COLUMN gist DROP EXPRESSION, ALTER COLUMN due DROP EXPRESSION, ALTER COLUMN revoke_due DROP EXPRESSION;
-- Every index costs, too, where a column that one of them knows is changed; where none is, the new version of the row stays on its page
-- and no index learns of it. So no index knows what a delivery changes: they tell phases apart, in which approved and delivered are one ...
ALTER TABLE key_request ADD COLUMN phase text NOT NULL GENERATED ALWAYS AS (CASE status WHEN 'delivered' THEN 'approved' ELSE status END)
	STORED;
ALTER TABLE key_request ALTER COLUMN phase DROP EXPRESSION;
ALTER TABLE key_request SET (fillfactor = 80);
DROP INDEX key_request_open_status, key_request_pooled;
CREATE INDEX key_request_open_phase ON key_request (tenant, phase, requested, id) WHERE closed IS NULL;
-- A pooled device is given to one instance at a time, whatever two agents ask at the same moment (POL-5).
CREATE UNIQUE INDEX key_request_pooled ON key_request (tenant, device)
	WHERE pooled AND NOT unplaced AND closed IS NULL AND phase IN ('pending', 'approved', 'revoking');
-- ... and those that are approved and not delivered yet, the few whose agents have not come for them, are listed here.
CREATE TABLE key_waiting (
	tenant uuid NOT NULL,
	request uuid NOT NULL,
	PRIMARY KEY (tenant, request)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
INSERT INTO key_waiting SELECT tenant, id FROM key_request WHERE closed IS NULL AND status = 'approved';
SELECT isolate('key_waiting');
GRANT SELECT, INSERT, DELETE ON key_waiting TO keyward_console, keyward_agent, keyward_jobs;
DROP TRIGGER key_request_again ON key_request;
DROP FUNCTION key_request_again();
DROP TRIGGER key_request_recount ON key_request;

-- What an approver sees and approves, in short (sql/0006).
CREATE FUNCTION key_request_gist() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.gist := md5(NEW.agent::text || NEW.device::text || coalesce(NEW.policy::text, '') || NEW.access || NEW.mount_point
		|| NEW.integrity || coalesce(jsonb_path_query_array(NEW.verdict, '$.**.status')::text, ''));
	RETURN NEW;
END
$$;
CREATE TRIGGER key_request_gist BEFORE INSERT OR UPDATE OF agent, device, policy, access, mount_point, integrity, verdict, gist
	ON key_request FOR EACH ROW EXECUTE FUNCTION key_request_gist();

-- When something happens to it by itself, when a revocation's next step is due, and what is to be counted (sql/0013).
CREATE FUNCTION key_request_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	waited boolean := false;
	waits CONSTANT boolean := NEW.closed IS NULL AND NEW.status = 'approved';
	old_kind text;
	new_kind text;
BEGIN
	IF TG_OP = 'UPDATE' THEN
		waited := OLD.closed IS NULL AND OLD.status = 'approved';
		-- A key that may be asked for again (INT-4) is a question anew: nothing of the former decision counts, and who made it is
		-- not for the agent service to change otherwise.
		IF OLD.status = 'revoked' AND NEW.status = 'pending' THEN
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
		END IF;
		-- Not a key's delivery, nor what comes after it.
		IF OLD.status IN ('pending', 'denied') OR NEW.status IN ('pending', 'denied') OR OLD.decided_by IS DISTINCT FROM NEW.decided_by THEN
			old_kind := CASE WHEN OLD.status IN ('pending', 'denied') THEN OLD.status WHEN OLD.decided_by IS NULL THEN 'policy'
				ELSE 'person' END;
			new_kind := CASE WHEN NEW.status IN ('pending', 'denied') THEN NEW.status WHEN NEW.decided_by IS NULL THEN 'policy'
				ELSE 'person' END;
			IF old_kind <> new_kind THEN
				INSERT INTO request_count_change VALUES (NEW.tenant, date_bin('15 minutes', NEW.requested, 'epoch'),
					(new_kind = 'policy')::int - (old_kind = 'policy')::int, (new_kind = 'person')::int - (old_kind = 'person')::int,
					(new_kind = 'denied')::int - (old_kind = 'denied')::int, (new_kind = 'pending')::int - (old_kind = 'pending')::int);
			END IF;
		END IF;
	END IF;
	IF waits AND NOT waited THEN
		INSERT INTO key_waiting VALUES (NEW.tenant, NEW.id) ON CONFLICT DO NOTHING;
	ELSIF waited AND NOT waits THEN
		DELETE FROM key_waiting w WHERE w.tenant = NEW.tenant AND w.request = NEW.id;
	END IF;
	NEW.phase := CASE NEW.status WHEN 'delivered' THEN 'approved' ELSE NEW.status END;
	NEW.due := CASE WHEN NEW.closed IS NULL AND NEW.status = 'pending' THEN least(NEW.approve_at, NEW.votes_expire) END;
	NEW.revoke_due := CASE WHEN NEW.closed IS NOT NULL OR NEW.status NOT IN ('revoking', 'revoked') THEN NULL
		WHEN NEW.status = 'revoking' AND NEW.revoke_ordered IS NULL THEN least(NEW.revoke_at, NEW.recheck_at) ELSE NEW.recheck_at END;
	RETURN NEW;
END
$$;
CREATE TRIGGER key_request_state BEFORE INSERT OR UPDATE OF status, decided_by, approve_at, votes_expire, revoke_at, revoke_ordered, recheck_at,
	closed, phase, due, revoke_due ON key_request FOR EACH ROW EXECUTE FUNCTION key_request_state();

CREATE FUNCTION key_request_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM key_waiting w WHERE w.tenant = OLD.tenant AND w.request = OLD.id;
	RETURN NULL;
END
$$;
CREATE TRIGGER key_request_gone AFTER DELETE ON key_request FOR EACH ROW EXECUTE FUNCTION key_request_gone();

-- As in sql/0003, with one statement that takes the lock on the chain's head, counts on and hashes, instead of two, and the hashed text
-- in one function: PostgreSQL sends an array as 20 bytes about it, then each member as four bytes of length, -1 for a null, and its bytes.
ALTER TABLE audit_head ADD COLUMN at timestamptz, ADD COLUMN former hash32;
CREATE OR REPLACE FUNCTION audit_append(category text, event text, actor_kind text, actor_id uuid, actor_name text, object_kind text,
	object_id uuid, object_name text, detail json, address text, request text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	bound CONSTANT uuid := nullif(current_setting('keyward.tenant', true), '')::uuid;
	chain CONSTANT uuid := coalesce(bound, nil);
	role CONSTANT text := session_user;
	stamp timestamptz := clock_timestamp();
	last bigint;
	before bytea;
	own bytea;
BEGIN
	IF chain = nil AND (bound IS NOT NULL OR role IN ('keyward_console', 'keyward_agent')) THEN
		RAISE EXCEPTION 'an entry needs a tenant' USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF NOT (CASE role
		WHEN 'keyward_central' THEN actor_kind IN ('operator', 'system', 'anonymous')
		WHEN 'keyward_console' THEN actor_kind IN ('user', 'system', 'anonymous')
		WHEN 'keyward_agent' THEN actor_kind IN ('agent', 'system', 'anonymous')
		WHEN 'keyward_jobs' THEN actor_kind = 'system'
		ELSE true END) THEN
		RAISE EXCEPTION 'role % cannot log as %', role, actor_kind USING ERRCODE = 'insufficient_privilege';
	END IF;
	-- Who has waited for the lock sees the row as it is then; times never go back along the chain.
	UPDATE audit_head h SET seq = h.seq + 1, at = greatest(h.at, stamp), former = h.hash,
		hash = sha256(substr(array_send(ARRAY['keyward-audit-1'::bytea, uuid_send(chain), int8send(h.seq + 1),
			int8send((extract(epoch FROM greatest(h.at, stamp)) * 1000000)::bigint), convert_to(category, 'UTF8'),
			convert_to(event, 'UTF8'), convert_to(actor_kind, 'UTF8'), uuid_send(actor_id), convert_to(actor_name, 'UTF8'),
			convert_to(object_kind, 'UTF8'), uuid_send(object_id), convert_to(object_name, 'UTF8'), convert_to(detail::text, 'UTF8'),
			convert_to(address, 'UTF8'), convert_to(request, 'UTF8'), convert_to(role, 'UTF8'), h.hash]), 21))
		WHERE h.tenant = chain RETURNING h.seq, h.at, h.former, h.hash INTO last, stamp, before, own;
	IF NOT FOUND THEN
		IF chain <> nil AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = chain) THEN
			RAISE EXCEPTION 'no such tenant' USING ERRCODE = 'insufficient_privilege';
		END IF;
		INSERT INTO audit_head VALUES (chain, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
		RETURN audit_append(category, event, actor_kind, actor_id, actor_name, object_kind, object_id, object_name, detail, address, request);
	END IF;
	INSERT INTO audit_entry VALUES (chain, last, stamp, category, event, actor_kind, actor_id, actor_name, object_kind, object_id,
		object_name, detail, address, request, role, before, own);
	RETURN last;
END
$$;
DROP FUNCTION audit_field(uuid), audit_field(bigint), audit_field(text);

-- All that a key's delivery writes, in one call: the request, whose row the caller has locked and found ready for it, the decision in
-- its history unless it is the same key AGAIN, and the log. With the caller's own rights.
CREATE FUNCTION key_deliver(request_id uuid, decision_id uuid, version bigint, again boolean, actor_kind text, actor_id uuid,
	actor_name text, object_name text, detail json, address text, web_request text) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
	seq bigint;
BEGIN
	UPDATE key_request r SET status = 'delivered', delivered = now(), key_version = version WHERE r.id = request_id;
	IF NOT again THEN
		INSERT INTO key_decision (tenant, id, request, decision, by_kind, by_id, by_name)
			VALUES (current_tenant(), decision_id, request_id, 'deliver', actor_kind, actor_id, actor_name);
	END IF;
	seq := audit_append('key', 'key.delivered', actor_kind, actor_id, actor_name, 'request', request_id, object_name, detail, address,
		web_request);
END
$$;
GRANT EXECUTE ON FUNCTION key_deliver(uuid, uuid, bigint, boolean, text, uuid, text, text, json, text, text) TO keyward_agent;
