-- What the delivery of a key costs, once more (docs/performance.md): every expression of a plpgsql function, every column of every join and
-- every function in them is made ready anew in each transaction; and a table's checks are parsed by every statement that writes to it.

-- The bytes of src/keys/ticket.h, under K. Only functions of keyward_tickets may call it.
CREATE FUNCTION ticket_with(k ticket_key, kind int, tenant uuid, object uuid, version int, request uuid, agent uuid, recipient bytea,
	agent_key bytea) RETURNS bytea LANGUAGE plpgsql
AS $$
DECLARE
	head bytea;
BEGIN
	IF k.generation IS NULL OR length(recipient) <> 65 OR length(agent_key) <> 65 THEN
		RETURN NULL;
	END IF;
	head := int4send(k.generation) || int8send(extract(epoch FROM clock_timestamp())::bigint + 120) || agent_key;
	RETURN head || sha256(k.outer_pad || sha256(k.inner_pad || 'keyward ticket 1'::bytea || substr(int4send(kind), 4) || uuid_send(tenant)
		|| uuid_send(object) || int4send(version) || uuid_send(request) || uuid_send(agent) || recipient || head));
END
$$;

-- As key_release in sql/0025, which servers of before still call, packed (src/store/packed.h): the request with its device's active key, the
-- device, the account's key while the account is active, the account's state, whether the agent ASKING is active, and the ticket under the
-- same conditions. Null where there is no such request. No statement here names the tenant: row security does, and to name it twice
-- makes it be looked at twice.
CREATE FUNCTION key_fetch(wanted uuid, asking uuid) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	account uuid;
	target uuid;
	one_time bytea;
	key_version int;
	fits boolean;
	request bytea;
	device bytea;
	agent_key bytea;
	account_key bytea;
	state text := 'active';
	ticket bytea;
BEGIN
	SELECT r.tenant, r.device, r.recipient_key, k.version,
		r.status IN ('approved', 'delivered') AND r.closed IS NULL AND NOT r.unplaced AND r.agent = asking AND k.version IS NOT NULL,
		array_send(ARRAY[uuid_send(r.agent), textsend(r.status), boolsend(r.closed IS NOT NULL), textsend(r.access), r.recipient_key,
			timestamptz_send(r.requested), int4send(r.key_version), uuid_send(r.instance), uuid_send(coalesce(r.asked_device, r.device)),
			boolsend(r.unplaced), r.signature, int4send(k.version), k.wrapped, uuid_send(k.made_for), int4send(k.other)]),
		(SELECT array_send(ARRAY[uuid_send(d.id), textsend(coalesce(nullif(d.name, ''), d.provider_device)), textsend(d.provider_device),
			textsend(d.filesystem), textsend(d.mount_point), textsend(d.access), boolsend(d.kind = 'raid-0'), int4send(d.key_version)])
			FROM device d WHERE d.id = r.device),
		(SELECT a.public_key FROM agent a WHERE a.id = asking AND a.state = 'active'),
		(SELECT t.wrapped_key FROM tenant t WHERE t.state = 'active')
	INTO account, target, one_time, key_version, fits, request, device, agent_key, account_key
	FROM key_request r LEFT JOIN device_key k ON k.device = r.device AND k.state = 'active'
	WHERE r.id = wanted FOR UPDATE OF r;
	IF account_key IS NULL THEN
		IF request IS NULL THEN
			RETURN NULL;
		END IF;
		SELECT t.state INTO state FROM tenant t;
	ELSIF fits AND agent_key IS NOT NULL THEN
		SELECT ticket_with(k, 1, account, target, key_version, wanted, asking, one_time, agent_key) INTO ticket FROM ticket_key k;
	END IF;
	RETURN array_send(ARRAY[request, device, account_key, textsend(state), boolsend(agent_key IS NOT NULL), ticket]);
END
$$;
GRANT EXECUTE ON FUNCTION key_fetch(uuid, uuid) TO keyward_agent;

GRANT CREATE ON SCHEMA public TO keyward_tickets;
RESET ROLE;
ALTER FUNCTION ticket_with(ticket_key, int, uuid, uuid, int, uuid, uuid, bytea, bytea) OWNER TO keyward_tickets;
ALTER FUNCTION key_fetch(uuid, uuid) OWNER TO keyward_tickets;
CREATE OR REPLACE FUNCTION ticket_make(kind int, tenant uuid, object uuid, version int, request uuid, agent uuid, recipient bytea, agent_key bytea)
RETURNS bytea LANGUAGE plpgsql
AS $$
BEGIN
	RETURN (SELECT ticket_with(k, kind, tenant, object, version, request, agent, recipient, agent_key) FROM ticket_key k);
END
$$;
REVOKE CREATE ON SCHEMA public FROM keyward_tickets;
SET ROLE keyward_owner;

-- The last check of this table, where it costs who writes the column alone.
ALTER TABLE key_request DROP CONSTRAINT key_request_revoke_by_check;
CREATE FUNCTION key_request_revoker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.revoke_by NOT IN ('check', 'person') THEN
		RAISE EXCEPTION 'a key is revoked by a check or by a person' USING ERRCODE = 'check_violation', CONSTRAINT = 'key_request_revoke_by_check';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER key_request_revoker BEFORE INSERT OR UPDATE OF revoke_by ON key_request FOR EACH ROW EXECUTE FUNCTION key_request_revoker();

-- As in sql/0027, with a key's delivery first.
CREATE OR REPLACE FUNCTION key_request_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	waited boolean := false;
	waits boolean;
	old_kind text;
	new_kind text;
BEGIN
	-- Phase and due times stay what they were.
	IF TG_OP = 'UPDATE' AND OLD.status = 'approved' AND NEW.status = 'delivered' AND OLD.closed IS NULL AND NEW.closed IS NULL
		AND OLD.decided_by IS NOT DISTINCT FROM NEW.decided_by THEN
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

-- Who may be named by which of the processes' roles.
CREATE FUNCTION audit_may(actor_kind text) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT CASE session_user
		WHEN 'keyward_central' THEN actor_kind IN ('operator', 'system', 'anonymous')
		WHEN 'keyward_console' THEN actor_kind IN ('user', 'system', 'anonymous')
		WHEN 'keyward_agent' THEN actor_kind IN ('agent', 'system', 'anonymous')
		WHEN 'keyward_jobs' THEN actor_kind = 'system'
		ELSE true END
$$;

-- The installation's chain, where no tenant is bound, for those who may write to it; else null. Whoever binds to the nil UUID has no chain.
CREATE FUNCTION audit_unbound() RETURNS uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF nullif(current_setting('keyward.tenant', true), '') IS NULL AND session_user NOT IN ('keyward_console', 'keyward_agent') THEN
		RETURN '00000000-0000-0000-0000-000000000000';
	END IF;
	RETURN NULL;
END
$$;

-- Why audit_append found no head of a chain to go on with: the reason, or the head of a new one.
CREATE FUNCTION audit_open(actor_kind text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	bound CONSTANT uuid := nullif(current_setting('keyward.tenant', true), '')::uuid;
	chain CONSTANT uuid := coalesce(bound, nil);
BEGIN
	IF chain = nil AND (bound IS NOT NULL OR session_user IN ('keyward_console', 'keyward_agent')) THEN
		RAISE EXCEPTION 'an entry needs a tenant' USING ERRCODE = 'insufficient_privilege';
	ELSIF audit_may(actor_kind) IS NOT TRUE THEN
		RAISE EXCEPTION 'role % cannot log as %', session_user, actor_kind USING ERRCODE = 'insufficient_privilege';
	ELSIF chain <> nil AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = chain) THEN
		RAISE EXCEPTION 'no such tenant' USING ERRCODE = 'insufficient_privilege';
	END IF;
	INSERT INTO audit_head VALUES (chain, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
END
$$;

-- As in sql/0016: what may not be written is asked by the statement that takes the head of the chain, whose name is null then.
CREATE OR REPLACE FUNCTION audit_append(category text, event text, actor_kind text, actor_id uuid, actor_name text, object_kind text,
	object_id uuid, object_name text, detail json, address text, request text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	stamp timestamptz := clock_timestamp();
	chain uuid;
	last bigint;
	before bytea;
	own bytea;
BEGIN
	-- Who has waited for the lock sees the row as it is then; times never go back along the chain.
	UPDATE audit_head h SET seq = h.seq + 1, at = greatest(h.at, stamp), former = h.hash,
		hash = sha256(substr(array_send(ARRAY['keyward-audit-1'::bytea, uuid_send(h.tenant), int8send(h.seq + 1),
			int8send((extract(epoch FROM greatest(h.at, stamp)) * 1000000)::bigint), convert_to(category, 'UTF8'),
			convert_to(event, 'UTF8'), convert_to(actor_kind, 'UTF8'), uuid_send(actor_id), convert_to(actor_name, 'UTF8'),
			convert_to(object_kind, 'UTF8'), uuid_send(object_id), convert_to(object_name, 'UTF8'), convert_to(detail::text, 'UTF8'),
			convert_to(address, 'UTF8'), convert_to(request, 'UTF8'), convert_to(session_user::text, 'UTF8'), h.hash]), 21))
		WHERE h.tenant = CASE WHEN audit_may(actor_kind) THEN coalesce(nullif(nullif(current_setting('keyward.tenant', true), '')::uuid,
			'00000000-0000-0000-0000-000000000000'), audit_unbound()) END
		RETURNING h.tenant, h.seq, h.at, h.former, h.hash INTO chain, last, stamp, before, own;
	IF NOT FOUND THEN
		PERFORM audit_open(actor_kind);
		RETURN audit_append(category, event, actor_kind, actor_id, actor_name, object_kind, object_id, object_name, detail, address, request);
	END IF;
	INSERT INTO audit_entry VALUES (chain, last, stamp, category, event, actor_kind, actor_id, actor_name, object_kind, object_id,
		object_name, detail, address, request, session_user, before, own);
	RETURN last;
END
$$;
