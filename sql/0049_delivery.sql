-- What the delivery of a key costs, once more (docs/performance.md): one row less is written for it. That the key
-- was delivered, when, and to which agent is in the request itself; the history of decisions had the same once more.

-- As in sql/0043, but for deliveries: the last one is the request's, and one that gives way to another, or to a question anew, goes to the
-- history. It is asked of whoever writes the column, so that none is lost. Servers of before write both, with the same time.
CREATE FUNCTION key_request_delivered(former key_request) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO key_decision (tenant, id, request, decision, at, by_kind, by_id)
		SELECT former.tenant, gen_random_uuid(), former.id, 'deliver', former.delivered, 'agent', former.agent
		WHERE NOT EXISTS (SELECT 1 FROM key_decision k WHERE k.tenant = former.tenant AND k.request = former.id AND k.decision = 'deliver'
			AND k.at = former.delivered);
END
$$;
GRANT EXECUTE ON FUNCTION key_request_delivered(key_request) TO keyward_console, keyward_agent, keyward_jobs;

CREATE OR REPLACE FUNCTION key_request_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	waited boolean := false;
	waits boolean;
	old_kind text;
	new_kind text;
BEGIN
	-- Phase and due times stay what they were.
	IF TG_OP = 'UPDATE' AND OLD.status = 'approved' AND NEW.status = 'delivered' AND OLD.closed IS NULL AND NEW.closed IS NULL
		AND OLD.delivered IS NULL AND OLD.decided_by IS NOT DISTINCT FROM NEW.decided_by THEN
		DELETE FROM key_waiting w WHERE w.tenant = NEW.tenant AND w.request = NEW.id;
		RETURN NEW;
	END IF;
	waits := NEW.closed IS NULL AND NEW.status = 'approved';
	IF TG_OP = 'UPDATE' THEN
		waited := OLD.closed IS NULL AND OLD.status = 'approved';
		IF NEW.status <> OLD.status AND NOT (OLD.status = 'approved' AND NEW.status = 'delivered') THEN
			PERFORM key_request_may(OLD.status, NEW);
		END IF;
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
		IF OLD.delivered <> NEW.delivered OR (NEW.delivered IS NULL AND OLD.delivered IS NOT NULL) THEN
			PERFORM key_request_delivered(OLD);
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
	ELSIF NEW.status <> 'pending' AND session_user IN ('keyward_console', 'keyward_agent', 'keyward_jobs') THEN
		RAISE EXCEPTION 'a key request begins as pending' USING ERRCODE = 'insufficient_privilege';
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
DROP TRIGGER key_request_state ON key_request;
CREATE TRIGGER key_request_state BEFORE INSERT OR UPDATE OF status, decided_by, approve_at, votes_expire, revoke_at, revoke_ordered, recheck_at,
	closed, phase, due, revoke_due, delivered ON key_request FOR EACH ROW EXECUTE FUNCTION key_request_state();

-- In place of key_deliver in sql/0016, which servers of before still call: all that a key's delivery writes, in one call. The caller has locked
-- the request and found it ready. Where it is the same key AGAIN to the same one-time key, nothing has changed, and it is only logged.
CREATE FUNCTION key_delivered(request_id uuid, version bigint, again boolean, actor_kind text, actor_id uuid, actor_name text,
	object_name text, detail json, address text, web_request text) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
	seq bigint;
BEGIN
	IF NOT again THEN
		UPDATE key_request r SET status = 'delivered', delivered = now(), key_version = version WHERE r.id = request_id;
	END IF;
	seq := audit_append('key', 'key.delivered', actor_kind, actor_id, actor_name, 'request', request_id, object_name, detail, address,
		web_request);
END
$$;
GRANT EXECUTE ON FUNCTION key_delivered(uuid, bigint, boolean, text, uuid, text, text, json, text, text) TO keyward_agent;
