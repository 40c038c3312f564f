-- Keys of several requests in one transaction (docs/performance.md): each still under its own account's row security, which the functions bind one
-- after the other.

GRANT SELECT (cipher, mode, key_bits) ON device TO keyward_tickets;

-- As key_fetch in sql/0043, which servers of before still call, with what the device's volume is encrypted with, for the requests WANTED of ACCOUNTS,
-- asked for by the agents ASKING: a row for each, in their order. Null where there is none, or where somebody else is at it: nobody is waited for
-- while others are locked.
CREATE FUNCTION keys_fetch(accounts uuid[], wanted uuid[], asking uuid[]) RETURNS SETOF bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	asked uuid;
	speaker uuid;
	account uuid;
	target uuid;
	one_time bytea;
	key_version int;
	fits boolean;
	request bytea;
	device bytea;
	agent_key bytea;
	account_key bytea;
	state text;
	ticket bytea;
BEGIN
	FOR i IN 1 .. cardinality(wanted) LOOP
		asked := wanted[i];
		speaker := asking[i];
		state := set_config('keyward.tenant', accounts[i]::text, true);
		SELECT r.tenant, r.device, r.recipient_key, k.version,
			r.status IN ('approved', 'delivered') AND r.closed IS NULL AND NOT r.unplaced AND r.agent = speaker AND k.version IS NOT NULL,
			array_send(ARRAY[uuid_send(r.agent), textsend(r.status), boolsend(r.closed IS NOT NULL), textsend(r.access), r.recipient_key,
				timestamptz_send(r.requested), int4send(r.key_version), uuid_send(r.instance), uuid_send(coalesce(r.asked_device, r.device)),
				boolsend(r.unplaced), r.signature, int4send(k.version), k.wrapped, uuid_send(k.made_for), int4send(k.other)]),
			(SELECT array_send(ARRAY[uuid_send(d.id), textsend(coalesce(nullif(d.name, ''), d.provider_device)), textsend(d.provider_device),
				textsend(d.filesystem), textsend(d.mount_point), textsend(d.access), boolsend(d.kind = 'raid-0'), int4send(d.key_version),
				textsend(d.cipher), textsend(d.mode), int4send(d.key_bits)]) FROM device d WHERE d.id = r.device),
			(SELECT a.public_key FROM agent a WHERE a.id = speaker AND a.state = 'active'),
			(SELECT t.wrapped_key FROM tenant t WHERE t.state = 'active')
		INTO account, target, one_time, key_version, fits, request, device, agent_key, account_key
		FROM key_request r LEFT JOIN device_key k ON k.device = r.device AND k.state = 'active'
		WHERE r.id = asked FOR UPDATE OF r SKIP LOCKED;
		IF request IS NULL THEN
			RETURN NEXT NULL;
			CONTINUE;
		END IF;
		ticket := NULL;
		state := 'active';
		IF account_key IS NULL THEN
			SELECT t.state INTO state FROM tenant t;
		ELSIF fits AND agent_key IS NOT NULL THEN
			SELECT ticket_with(k, 1, account, target, key_version, asked, speaker, one_time, agent_key) INTO ticket FROM ticket_key k;
		END IF;
		RETURN NEXT array_send(ARRAY[request, device, account_key, textsend(state), boolsend(agent_key IS NOT NULL), ticket]);
	END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION keys_fetch(uuid[], uuid[], uuid[]) TO keyward_agent;

GRANT CREATE ON SCHEMA public TO keyward_tickets;
RESET ROLE;
ALTER FUNCTION keys_fetch(uuid[], uuid[], uuid[]) OWNER TO keyward_tickets;
REVOKE CREATE ON SCHEMA public FROM keyward_tickets;
SET ROLE keyward_owner;

-- As key_delivered in sql/0049, which servers of before still call, for several; the caller has locked all of them. ACCOUNTS in one order
-- everywhere, because each has one log that all wait for.
CREATE FUNCTION keys_delivered(accounts uuid[], requests uuid[], versions bigint[], again boolean[], actor_kind text, actors uuid[],
	actor_name text, objects text[], details json[], addresses text[], web_requests text[]) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
	asked uuid;
	version bigint;
	seq bigint;
	bound text;
BEGIN
	FOR i IN 1 .. cardinality(requests) LOOP
		asked := requests[i];
		version := versions[i];
		bound := set_config('keyward.tenant', accounts[i]::text, true);
		IF NOT again[i] THEN
			UPDATE key_request r SET status = 'delivered', delivered = now(), key_version = version WHERE r.id = asked;
		END IF;
		seq := audit_append('key', 'key.delivered', actor_kind, actors[i], actor_name, 'request', asked, objects[i], details[i], addresses[i],
			web_requests[i]);
	END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION keys_delivered(uuid[], uuid[], bigint[], boolean[], text, uuid[], text, text[], json[], text[], text[]) TO keyward_agent;
