-- What a row must have to say that a key request is approved: proofs of approval (sql/0025) are worth what the rows are worth. The processes'
-- roles write into this table; that is held here against the policy and the people, whatever the process is.

-- Refuses a step that is none of the table in src/policy/request_state.c, and an approval that neither the policy's action nor people who may
-- give it account for. Whether the facts are true, and whether these people have really said so, the database cannot know (docs/threat.md).
-- Who signs in otherwise than the processes do is not asked. Definer: the agent service cannot read the tables of people.
CREATE FUNCTION key_request_may(former text, r key_request) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	p policy;
BEGIN
	IF session_user NOT IN ('keyward_console', 'keyward_agent', 'keyward_jobs') THEN
		RETURN;
	END IF;
	IF (former, r.status::text) NOT IN (('pending', 'approved'), ('pending', 'denied'), ('approved', 'denied'), ('denied', 'approved'),
		('delivered', 'revoking'), ('revoking', 'revoked'), ('revoking', 'delivered'), ('revoked', 'pending')) THEN
		RAISE EXCEPTION 'a request that is % does not become %', former, r.status USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF r.status <> 'approved' THEN
		RETURN;
	END IF;
	IF r.closed IS NOT NULL OR r.unplaced THEN
		RAISE EXCEPTION 'a request that is over or has no device is not approved' USING ERRCODE = 'insufficient_privilege';
	END IF;
	SELECT q.* INTO p FROM device d JOIN policy q ON q.tenant = d.tenant AND q.id = d.policy WHERE d.id = r.device;
	IF r.decided_by IS NULL THEN
		-- By itself: the policy has rules and says so, for as many approvals as one, and the image is the policy's too (RUN-4).
		IF former <> 'pending' OR p.approvals_needed <> 1 OR jsonb_array_length(p.rules) = 0 OR r.verdict IS NULL
			OR NOT (CASE WHEN (r.verdict ->> 'failed')::int = 0 AND coalesce((r.verdict ->> 'unknown')::int, 0) = 0
				THEN p.on_match IN ('approve', 'manual-timeout') ELSE p.on_mismatch = 'approve' END)
			OR NOT EXISTS (SELECT 1 FROM policy_image x JOIN instance i ON i.tenant = x.tenant AND i.image = x.image
				WHERE x.policy = p.id AND i.id = r.instance) THEN
			RAISE EXCEPTION 'the policy does not approve this by itself' USING ERRCODE = 'insufficient_privilege';
		END IF;
	-- By a person: active, of a role that decides (identity/permission.h), among those whom the policy names, for a policy that asks for one ...
	ELSIF NOT EXISTS (SELECT 1 FROM app_user u WHERE u.id = r.decided_by AND u.state = 'active'
			AND u.role IN ('account-administrator', 'key-approver'))
		OR p.approvals_needed < 1 OR NOT (cardinality(p.approvals_of) = 0 OR r.decided_by = ANY (p.approvals_of)) THEN
		RAISE EXCEPTION 'this user does not approve key requests of this policy' USING ERRCODE = 'insufficient_privilege';
	-- ... or for one that asks for several, with the approvals of so many different ones of what there is now, none of it their own (RUN-8).
	ELSIF p.approvals_needed > 1 AND p.approvals_needed > (SELECT count(*) FROM key_vote v JOIN app_user u ON u.tenant = v.tenant
			AND u.id = v.approver AND u.state = 'active' AND u.role IN ('account-administrator', 'key-approver')
			WHERE v.request = r.id AND v.gist = r.gist AND (cardinality(p.approvals_of) = 0 OR v.approver = ANY (p.approvals_of))
			AND v.approver IS DISTINCT FROM r.ordered_by AND v.approver IS DISTINCT FROM r.assigned_by) THEN
		RAISE EXCEPTION 'the policy asks for the approval of several people' USING ERRCODE = 'insufficient_privilege';
	END IF;
END
$$;
GRANT EXECUTE ON FUNCTION key_request_may(text, key_request) TO keyward_console, keyward_agent, keyward_jobs;

-- As in sql/0016, with that.
CREATE OR REPLACE FUNCTION key_request_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	waited boolean := false;
	waits CONSTANT boolean := NEW.closed IS NULL AND NEW.status = 'approved';
	old_kind text;
	new_kind text;
BEGIN
	IF TG_OP = 'UPDATE' THEN
		waited := OLD.closed IS NULL AND OLD.status = 'approved';
		-- Not for a key's delivery, whose way is the one that is asked for most.
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

-- As in sql/0025, for the processes' roles.
CREATE OR REPLACE FUNCTION agent_state_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.state <> 'active' AND NEW.state = 'active' AND current_user IN ('keyward_console', 'keyward_agent', 'keyward_jobs') THEN
		RAISE EXCEPTION 'an agent that was % enrols anew', OLD.state USING ERRCODE = 'check_violation';
	END IF;
	RETURN NEW;
END
$$;
