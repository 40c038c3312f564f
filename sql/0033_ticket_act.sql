-- Proofs that a person has asked for it (docs/keys.md "Proofs of approval"): for keys that are exported (KEY-5) or copied for a clone (DEV-5).
-- And what is given to agents without a request no longer follows rows that a process could write and undo again.

-- Whether the row version that X has written stands, whatever becomes of this transaction. Not: one that this transaction wrote itself, in
-- which case it could be undone when its purpose is served. XMIN of the row is what to ask for.
CREATE FUNCTION settled(x xid) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
	top CONSTANT bigint := txid_current_if_assigned();
	since bigint;
BEGIN
	IF top IS NULL THEN
		RETURN true;
	END IF;
	-- Transaction numbers go round; a transaction's own, and those of its savepoints, are not before its first.
	since := ((x::text::bigint - top) % 4294967296 + 4294967296) % 4294967296;
	RETURN since >= 2147483648 OR pg_xact_status((top + since)::text::xid8) = 'committed';
END
$$;

-- Which machine a key is made for; it says so until its volume is finished. Not for a process to choose.
ALTER TABLE device_key ADD instance uuid;
UPDATE device_key k SET instance = d.instance FROM device d WHERE d.tenant = k.tenant AND d.id = k.device AND k.used IS NULL;
CREATE OR REPLACE FUNCTION device_key_fresh() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.instance := (SELECT d.instance FROM device d WHERE d.tenant = NEW.tenant AND d.id = NEW.device);
	IF current_user IN ('keyward_console', 'keyward_agent', 'keyward_jobs') THEN
		NEW.used := NULL;
		IF EXISTS (SELECT 1 FROM device d WHERE d.tenant = NEW.tenant AND d.id = NEW.device AND d.key_version >= NEW.version) THEN
			RAISE EXCEPTION 'a key of this version was there already' USING ERRCODE = 'unique_violation';
		END IF;
	END IF;
	RETURN NEW;
END
$$;

GRANT EXECUTE ON FUNCTION settled(xid) TO keyward_tickets;
GRANT SELECT (xmin, token_account, token_device, token_version) ON device TO keyward_tickets;
GRANT SELECT (xmin) ON key_request TO keyward_tickets;
GRANT SELECT (instance, made_version) ON device_key TO keyward_tickets;
GRANT SELECT (tenant, id, role, state) ON app_user TO keyward_tickets;
GRANT SELECT (tenant, seq, at, event, actor_kind, actor_id, object_id, detail, request, written_by, xmin) ON audit_entry TO keyward_tickets;

-- A key of TARGET to the person who has asked for it: by the web request REQUEST, in the last two minutes, as the log says for good, by an
-- active user of the role that may (identity/permission.h). Under an export key with this DIGEST (SHA-256) alone.
CREATE FUNCTION export_ticket(request uuid, target uuid, wanted_version bigint, digest bytea) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	IF length(digest) <> 32 THEN
		RETURN NULL;
	END IF;
	RETURN (SELECT ticket_make(3, k.tenant, k.device, k.version, export_ticket.request, u.id, digest || decode(repeat('00', 33), 'hex'),
			decode(repeat('00', 65), 'hex'))
		FROM device d JOIN device_key k ON k.tenant = d.tenant AND k.device = d.id AND k.state = 'active' AND k.version = wanted_version
		LEFT JOIN device a ON a.tenant = d.tenant AND a.id = d.raid
		CROSS JOIN LATERAL (SELECT e.* FROM (SELECT l.seq, l.at, l.event, l.actor_kind, l.actor_id, l.detail, l.request, l.written_by, l.xmin AS x
			FROM audit_entry l WHERE l.tenant = d.tenant AND l.object_id = d.id ORDER BY l.seq DESC LIMIT 100) e
			WHERE e.event = 'key.exported' AND e.written_by = 'keyward_console' AND e.actor_kind = 'user'
				AND e.request = export_ticket.request::text AND e.detail ->> 'version' = wanted_version::text
				AND e.at > clock_timestamp() - interval '2 minutes' AND settled(e.x) ORDER BY e.seq DESC LIMIT 1) e
		JOIN app_user u ON u.tenant = d.tenant AND u.id = e.actor_id AND u.state = 'active' AND u.role = 'security-administrator'
		WHERE d.id = target AND coalesce(a.status, d.status) IN ('encrypted', 'in-use'));
END
$$;
GRANT EXECUTE ON FUNCTION export_ticket(uuid, uuid, bigint, bytea) TO keyward_console;

-- The key of ORIGIN once more, for TARGET, whose agent has reported the token that names it before this transaction. ASKER: an active user
-- of the role that may.
CREATE FUNCTION copy_ticket(request uuid, target uuid, origin uuid, origin_version bigint, asker uuid) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN (SELECT ticket_make(4, k.tenant, k.device, k.version, copy_ticket.request, u.id, uuid_send(d.id) || int4send(d.key_version + 1)
			|| decode(repeat('00', 45), 'hex'), decode(repeat('00', 65), 'hex'))
		FROM device d JOIN device o ON o.tenant = d.tenant AND o.id = origin AND o.id <> d.id
		JOIN device_key k ON k.tenant = o.tenant AND k.device = o.id AND k.version = origin_version
			AND (coalesce(k.made_for, k.device), coalesce(k.made_version, k.version)) = (d.token_device, d.token_version)
		JOIN app_user u ON u.tenant = d.tenant AND u.id = asker AND u.state = 'active' AND u.role = 'account-administrator'
		WHERE d.id = target AND d.token_account = d.tenant AND d.status IN ('not-configured', 'configured', 'encryption-error')
			AND settled(d.xmin));
END
$$;
GRANT EXECUTE ON FUNCTION copy_ticket(uuid, uuid, uuid, bigint, uuid) TO keyward_console;

RESET ROLE;
-- As in sql/0031, but: the key of a volume that is being made goes only to the machine that it was made for; leave to hand over or decrypt
-- is what the log says for good, of a person who may give it, for the machine that the volume was at then; and a rotation's key only where
-- the released request that it follows stands.
CREATE OR REPLACE FUNCTION key_ticket_task(asking uuid, wanted uuid, wanted_version bigint, request uuid, recipient bytea) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN (SELECT ticket_make(1, k.tenant, k.device, k.version, key_ticket_task.request, a.id, recipient, a.public_key)
		FROM device d JOIN device_key k ON k.tenant = d.tenant AND k.device = d.id AND k.version = wanted_version
		JOIN agent a ON a.id = asking AND a.state = 'active' AND a.instance = d.instance
		JOIN tenant t ON t.id = d.tenant AND t.state = 'active'
		WHERE d.id = wanted AND ((k.state = 'active' AND d.status = 'encrypting' AND k.used IS NULL AND k.instance = d.instance)
			OR (k.state = 'active' AND d.release <> '' AND EXISTS (
				SELECT 1 FROM (SELECT l.event, l.actor_kind, l.actor_id, l.detail, l.written_by, l.xmin AS x FROM audit_entry l
					WHERE l.tenant = d.tenant AND l.object_id = d.id
						AND l.event IN ('device.release', 'device.release-cancelled', 'device.released') ORDER BY l.seq DESC LIMIT 1) e
				JOIN app_user u ON u.tenant = d.tenant AND u.id = e.actor_id AND u.state = 'active'
					AND u.role IN ('account-administrator', 'security-administrator')
				WHERE e.event = 'device.release' AND e.written_by = 'keyward_console' AND e.actor_kind = 'user' AND settled(e.x)
					AND e.detail ->> 'as' = d.release AND e.detail ->> 'instance' = d.instance::text))
			OR (EXISTS (SELECT 1 FROM rotation x WHERE x.tenant = d.tenant AND x.device = d.id
					AND ((x.kind = 'device-key' AND x.state IN ('adding', 'removing') AND wanted_version IN (x.from_version, x.to_version))
						OR (x.kind = 'volume-key' AND x.state = 'adding' AND k.state = 'active')))
				AND EXISTS (SELECT 1 FROM key_request q WHERE q.tenant = d.tenant AND q.device IN (d.id, d.raid) AND q.instance = d.instance
					AND q.closed IS NULL AND q.status = 'delivered' AND q.opened IS NOT NULL AND settled(q.xmin)))));
END
$$;
GRANT CREATE ON SCHEMA public TO keyward_tickets;
ALTER FUNCTION export_ticket(uuid, uuid, bigint, bytea) OWNER TO keyward_tickets;
ALTER FUNCTION copy_ticket(uuid, uuid, uuid, bigint, uuid) OWNER TO keyward_tickets;
REVOKE CREATE ON SCHEMA public FROM keyward_tickets;
SET ROLE keyward_owner;

-- A request is its machine's for ever: what was released to one is not another's by an update.
CREATE FUNCTION key_request_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'a key request stays with its machine' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER key_request_stays BEFORE UPDATE OF instance ON key_request FOR EACH ROW WHEN (OLD.instance <> NEW.instance)
	EXECUTE FUNCTION key_request_stays();
