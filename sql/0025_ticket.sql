-- Proofs of approval (docs/keys.md). The key service cannot look into the database, so the database tells it in writing that a key may go
-- to an agent: a ticket, which the web's processes carry and cannot make. Functions of a role of its own give them, each only where the
-- rows say so. Whoever needs a ticket for another purpose adds such a function in a migration, which says when a key may go:
--
--     CREATE FUNCTION my_ticket(...) RETURNS bytea LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$ ...
--         RETURN ticket_make(1, t.id, device, version, request, agent, recipient, a.public_key); ... $$;
--     GRANT EXECUTE ON FUNCTION my_ticket(...) TO keyward_agent;
--     GRANT CREATE ON SCHEMA public TO keyward_tickets;
--     RESET ROLE;
--     ALTER FUNCTION my_ticket(...) OWNER TO keyward_tickets;
--     SET ROLE keyward_owner;
--     REVOKE CREATE ON SCHEMA public FROM keyward_tickets;
--
-- with a SELECT on what it reads granted to keyward_tickets, to which row security applies as to anybody; REQUEST is the id under which
-- the key service is asked.

RESET ROLE;
DO $$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'keyward_tickets') THEN
		CREATE ROLE keyward_tickets NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
	END IF;
END
$$;
SET ROLE keyward_owner;
GRANT USAGE ON SCHEMA public TO keyward_tickets;
GRANT EXECUTE ON FUNCTION current_tenant() TO keyward_tickets;

-- The key under which tickets are made, as HMAC uses it (RFC 2104: the key, filled up with zeros to a block of SHA-256, xor 36 and xor 5c).
-- The key service gives it to root, and root puts it here (`keyward tickets`). Nobody but keyward_tickets can read it.
CREATE TABLE ticket_key (
	only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
	generation int NOT NULL CHECK (generation > 0),
	inner_pad bytea NOT NULL CHECK (length(inner_pad) = 64),
	outer_pad bytea NOT NULL CHECK (length(outer_pad) = 64),
	changed timestamptz NOT NULL DEFAULT now()
);

-- The bytes of src/keys/ticket.h; null while there is no key. Only functions of keyward_tickets may call it.
CREATE FUNCTION ticket_make(kind int, tenant uuid, object uuid, version int, request uuid, agent uuid, recipient bytea, agent_key bytea)
RETURNS bytea LANGUAGE plpgsql
AS $$
DECLARE
	k ticket_key;
	head bytea;
BEGIN
	SELECT * INTO k FROM ticket_key;
	IF k.generation IS NULL OR length(recipient) <> 65 OR length(agent_key) <> 65 THEN
		RETURN NULL;
	END IF;
	head := int4send(k.generation) || int8send(extract(epoch FROM clock_timestamp())::bigint + 120) || agent_key;
	RETURN head || sha256(k.outer_pad || sha256(k.inner_pad || 'keyward ticket 1'::bytea || substr(int4send(kind), 4) || uuid_send(tenant)
		|| uuid_send(object) || int4send(version) || uuid_send(request) || uuid_send(agent) || recipient || head));
END
$$;

-- Which generation there is, for `keyward status`.
CREATE FUNCTION ticket_generation() RETURNS int LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT generation FROM ticket_key $$;
GRANT EXECUTE ON FUNCTION ticket_generation() TO keyward_central;

-- A key that has opened a finished volume is given for a request alone, never again as the key of a volume that is being made, whatever
-- is written into the device's row.
ALTER TABLE device_key ADD used timestamptz;
UPDATE device_key k SET used = now() FROM device d WHERE d.tenant = k.tenant AND d.id = k.device
	AND (d.luks_uuid <> '' OR k.state = 'former');
CREATE FUNCTION device_key_used() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	UPDATE device_key k SET used = now() WHERE k.tenant = NEW.tenant AND k.device = NEW.id AND k.used IS NULL;
	RETURN NULL;
END
$$;
CREATE TRIGGER device_key_used AFTER UPDATE OF status ON device FOR EACH ROW
	WHEN (NEW.status IN ('encrypted', 'in-use') AND OLD.status <> NEW.status) EXECUTE FUNCTION device_key_used();
-- Nor under another row: one that was there cannot come back as a new one.
CREATE FUNCTION device_key_fresh() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_user IN ('keyward_console', 'keyward_agent', 'keyward_jobs') THEN
		NEW.used := NULL;
		IF EXISTS (SELECT 1 FROM device d WHERE d.tenant = NEW.tenant AND d.id = NEW.device AND d.key_version >= NEW.version) THEN
			RAISE EXCEPTION 'a key of this version was there already' USING ERRCODE = 'unique_violation';
		END IF;
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER device_key_fresh BEFORE INSERT ON device_key FOR EACH ROW EXECUTE FUNCTION device_key_fresh();
CREATE FUNCTION device_version_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.key_version < OLD.key_version AND current_user IN ('keyward_console', 'keyward_agent', 'keyward_jobs') THEN
		RAISE EXCEPTION 'versions of a device''s key count up' USING ERRCODE = 'check_violation';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER device_version_grows BEFORE UPDATE OF key_version ON device FOR EACH ROW EXECUTE FUNCTION device_version_grows();

-- An agent is its signing key, on its instance, for ever; and who was replaced or removed does not come back.
REVOKE UPDATE ON agent FROM keyward_agent;
GRANT UPDATE (state, version, insecure_tls, log_level, address, last_heartbeat) ON agent TO keyward_agent;
CREATE FUNCTION agent_state_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.state <> 'active' AND NEW.state = 'active' THEN
		RAISE EXCEPTION 'an agent that was % enrols anew', OLD.state USING ERRCODE = 'check_violation';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER agent_state_ends BEFORE UPDATE OF state ON agent FOR EACH ROW EXECUTE FUNCTION agent_state_ends();

-- What keyward_tickets may look at.
CREATE POLICY tenant_tickets ON tenant FOR SELECT TO keyward_tickets
	USING (id = nullif(current_setting('keyward.tenant', true), '')::uuid);
GRANT SELECT (id, state, wrapped_key) ON tenant TO keyward_tickets;
GRANT SELECT (tenant, id, instance, public_key, state) ON agent TO keyward_tickets;
GRANT SELECT (tenant, id, image) ON instance TO keyward_tickets;
GRANT SELECT (tenant, id, name, provider_device, filesystem, mount_point, access, kind, key_version, raid, instance, status, release)
	ON device TO keyward_tickets;
GRANT SELECT (tenant, device, version, wrapped, state, made_for, used, other) ON device_key TO keyward_tickets;
GRANT SELECT (tenant, device, kind, state, from_version, to_version) ON rotation TO keyward_tickets;
GRANT SELECT (tenant, image, version) ON image_credential TO keyward_tickets;
-- To lock a row takes a right to change something of it.
GRANT SELECT (tenant, id, device, asked_device, instance, agent, status, closed, unplaced, access, recipient_key, signature, requested,
	key_version, opened), UPDATE (waits) ON key_request TO keyward_tickets;

-- A key request with what its answer takes, locked, as the agent ASKING sees it; and the ticket, where its key may go to that agent now:
-- the request is its own, approved (or delivered: the answer was lost), not closed, revoked or waiting for a device; agent and account
-- are active; the device has a key. One row, of nulls where there is no such request.
CREATE FUNCTION key_release(wanted uuid, asking uuid, OUT agent uuid, OUT status text, OUT closed boolean, OUT access text,
	OUT recipient bytea, OUT requested timestamptz, OUT delivered_version bigint, OUT device uuid, OUT name text, OUT provider_device text,
	OUT filesystem text, OUT mount_point text, OUT device_access text, OUT agent_active boolean, OUT instance uuid, OUT asked uuid,
	OUT unplaced boolean, OUT is_raid boolean, OUT device_version bigint, OUT version bigint, OUT wrapped bytea, OUT account text,
	OUT wrapped_tenant bytea, OUT made_for uuid, OUT other bigint, OUT signature bytea, OUT asked_name text, OUT ticket bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	agent_key bytea;
	tenant uuid;
BEGIN
	SELECT r.tenant, r.agent, r.status, r.closed IS NOT NULL, r.access, r.recipient_key, r.requested, coalesce(r.key_version, 0), d.id,
		coalesce(nullif(d.name, ''), d.provider_device), d.provider_device, d.filesystem, d.mount_point, d.access, a.state = 'active',
		r.instance, coalesce(r.asked_device, r.device), r.unplaced, d.kind = 'raid-0', d.key_version, k.version, k.wrapped, t.state,
		t.wrapped_key, k.made_for, k.other, r.signature, a.public_key
	INTO tenant, agent, status, closed, access, recipient, requested, delivered_version, device, name, provider_device, filesystem,
		mount_point, device_access, agent_active, instance, asked, unplaced, is_raid, device_version, version, wrapped, account,
		wrapped_tenant, made_for, other, signature, agent_key
	FROM key_request r JOIN device d ON d.tenant = r.tenant AND d.id = r.device JOIN agent a ON a.id = asking JOIN tenant t ON t.id = r.tenant
		LEFT JOIN device_key k ON k.tenant = r.tenant AND k.device = r.device AND k.state = 'active'
	WHERE r.id = wanted FOR UPDATE OF r;
	asked_name := provider_device;
	IF asked <> device THEN
		SELECT d.provider_device INTO asked_name FROM device d WHERE d.id = asked;
	END IF;
	IF status IN ('approved', 'delivered') AND NOT closed AND NOT unplaced AND agent = asking AND agent_active AND account = 'active'
		AND version IS NOT NULL THEN
		ticket := ticket_make(1, tenant, device, version::int, wanted, asking, recipient, agent_key);
	END IF;
END
$$;
GRANT EXECUTE ON FUNCTION key_release(uuid, uuid) TO keyward_agent;

-- The same for a key of the request's device, or of a member of the array that it is for (RAID-1): the active one, or the one that it is
-- being rotated to or from (KEY-6).
CREATE FUNCTION key_ticket(wanted uuid, asking uuid, target uuid, wanted_version bigint) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN (SELECT ticket_make(1, r.tenant, k.device, wanted_version::int, r.id, a.id, r.recipient_key, a.public_key)
		FROM key_request r JOIN device d ON d.tenant = r.tenant AND d.id = target
			AND (d.id = r.device OR (d.raid = r.device AND d.instance = r.instance AND d.status <> 'undetected'))
		JOIN device_key k ON k.tenant = d.tenant AND k.device = d.id AND k.state = 'active' AND wanted_version IN (k.version, k.other)
		JOIN agent a ON a.id = r.agent AND a.state = 'active' JOIN tenant t ON t.id = r.tenant AND t.state = 'active'
		WHERE r.id = wanted AND r.agent = asking AND r.status IN ('approved', 'delivered') AND r.closed IS NULL AND NOT r.unplaced);
END
$$;
GRANT EXECUTE ON FUNCTION key_ticket(uuid, uuid, uuid, bigint) TO keyward_agent;

-- A key that no request is for, to the agent of the machine that the device is on: to make the volume with, as long as the key has never
-- opened a finished one; to hand the volume over or decrypt it, where a person has allowed that (VOL-7); to rotate it, where that was asked
-- for and the machine has its volume open, by a request that was approved (KEY-6).
CREATE FUNCTION key_ticket_task(asking uuid, wanted uuid, wanted_version bigint, request uuid, recipient bytea) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN (SELECT ticket_make(1, k.tenant, k.device, k.version, request, a.id, recipient, a.public_key)
		FROM device d JOIN device_key k ON k.tenant = d.tenant AND k.device = d.id AND k.version = wanted_version
		JOIN agent a ON a.id = asking AND a.state = 'active' AND a.instance = d.instance
		JOIN tenant t ON t.id = d.tenant AND t.state = 'active'
		WHERE d.id = wanted AND ((k.state = 'active' AND d.status = 'encrypting' AND k.used IS NULL)
			OR (k.state = 'active' AND d.release <> '')
			OR (EXISTS (SELECT 1 FROM rotation x WHERE x.tenant = d.tenant AND x.device = d.id AND x.kind = 'device-key'
					AND x.state IN ('adding', 'removing') AND wanted_version IN (x.from_version, x.to_version))
				AND EXISTS (SELECT 1 FROM key_request q WHERE q.tenant = d.tenant AND q.device IN (d.id, d.raid) AND q.instance = d.instance
					AND q.closed IS NULL AND q.status = 'delivered' AND q.opened IS NOT NULL))));
END
$$;
GRANT EXECUTE ON FUNCTION key_ticket_task(uuid, uuid, bigint, uuid, bytea) TO keyward_agent;

-- The credentials of its image, to an agent (CFG-3).
CREATE FUNCTION credential_ticket(asking uuid, wanted uuid, wanted_version bigint, request uuid, recipient bytea) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN (SELECT ticket_make(2, c.tenant, c.image, c.version, request, a.id, recipient, a.public_key)
		FROM image_credential c JOIN agent a ON a.id = asking AND a.state = 'active'
		JOIN instance i ON i.tenant = a.tenant AND i.id = a.instance AND i.image = c.image
		JOIN tenant t ON t.id = c.tenant AND t.state = 'active' WHERE c.image = wanted AND c.version = wanted_version);
END
$$;
GRANT EXECUTE ON FUNCTION credential_ticket(uuid, uuid, bigint, uuid, bytea) TO keyward_agent;

GRANT CREATE ON SCHEMA public TO keyward_tickets;
RESET ROLE;
ALTER TABLE ticket_key OWNER TO keyward_tickets;
ALTER FUNCTION ticket_make(int, uuid, uuid, int, uuid, uuid, bytea, bytea) OWNER TO keyward_tickets;
ALTER FUNCTION ticket_generation() OWNER TO keyward_tickets;
ALTER FUNCTION key_release(uuid, uuid) OWNER TO keyward_tickets;
ALTER FUNCTION key_ticket(uuid, uuid, uuid, bigint) OWNER TO keyward_tickets;
ALTER FUNCTION key_ticket_task(uuid, uuid, bigint, uuid, bytea) OWNER TO keyward_tickets;
ALTER FUNCTION credential_ticket(uuid, uuid, bigint, uuid, bytea) OWNER TO keyward_tickets;
SET ROLE keyward_owner;
REVOKE CREATE ON SCHEMA public FROM keyward_tickets;
