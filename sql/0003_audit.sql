-- The log: one hash chain per tenant, and one of the installation itself under the nil UUID. Nobody has a right to write here;
-- audit_append is the only way in. src/audit/chain.c computes the same bytes.

CREATE TABLE audit_head (
	tenant uuid PRIMARY KEY,
	seq bigint NOT NULL,
	hash bytea NOT NULL CHECK (length(hash) = 32)
);
SELECT isolate('audit_head');

CREATE TABLE audit_entry (
	tenant uuid NOT NULL,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	category text NOT NULL,
	event text NOT NULL,
	actor_kind text NOT NULL,
	actor_id uuid,
	actor_name text,
	object_kind text,
	object_id uuid,
	object_name text,
	detail json,                            -- json, not jsonb: the text that was hashed is the text that is kept
	address text,
	request text,
	written_by text NOT NULL,               -- the database role that was signed in: it cannot be chosen by the caller
	previous bytea NOT NULL CHECK (length(previous) = 32),
	hash bytea NOT NULL CHECK (length(hash) = 32),
	PRIMARY KEY (tenant, seq)
);
SELECT isolate('audit_entry');
CREATE INDEX audit_entry_at ON audit_entry (tenant, at, seq);
CREATE INDEX audit_entry_category ON audit_entry (tenant, category, seq);
CREATE INDEX audit_entry_object ON audit_entry (tenant, object_id, seq) WHERE object_id IS NOT NULL;

-- audit_append writes for every tenant: it runs as the owner and takes the tenant from the transaction itself.
CREATE POLICY audit_owner ON audit_head FOR ALL TO keyward_owner USING (true) WITH CHECK (true);
CREATE POLICY audit_owner ON audit_entry FOR ALL TO keyward_owner USING (true) WITH CHECK (true);
-- The operator reads the installation's chain and, whatever it binds to, no other: restrictive policies narrow the one of
-- isolate(), the permissive ones let an unbound operator see the nil UUID.
CREATE POLICY audit_installation ON audit_head FOR SELECT TO keyward_central
	USING (tenant = '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_installation ON audit_entry FOR SELECT TO keyward_central
	USING (tenant = '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_operator ON audit_head AS RESTRICTIVE FOR SELECT TO keyward_central
	USING (tenant = '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_operator ON audit_entry AS RESTRICTIVE FOR SELECT TO keyward_central
	USING (tenant = '00000000-0000-0000-0000-000000000000');
-- And a tenant's process cannot read the installation's by binding to the nil UUID.
CREATE POLICY audit_tenant ON audit_head AS RESTRICTIVE FOR SELECT TO keyward_console, keyward_jobs
	USING (tenant <> '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_tenant ON audit_entry AS RESTRICTIVE FOR SELECT TO keyward_console, keyward_jobs
	USING (tenant <> '00000000-0000-0000-0000-000000000000');
GRANT SELECT ON audit_head, audit_entry TO keyward_central, keyward_console, keyward_jobs;

-- One field of the hashed text: four bytes of length, then the bytes; a null is the length -1.
CREATE FUNCTION audit_field(v bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN v IS NULL THEN '\xffffffff'::bytea ELSE int4send(length(v)) || v END $$;
CREATE FUNCTION audit_field(v text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN v IS NULL THEN '\xffffffff'::bytea
	ELSE int4send(octet_length(v)) || convert_to(v, 'UTF8') END $$;

-- The hash of an entry over all its fields and the hash before it.
CREATE FUNCTION audit_hash(e audit_entry) RETURNS bytea LANGUAGE sql STABLE
AS $$
	SELECT sha256(audit_field('keyward-audit-1'::text) || audit_field(uuid_send(e.tenant)) || audit_field(int8send(e.seq))
		|| audit_field(int8send((extract(epoch FROM e.at) * 1000000)::bigint))
		|| audit_field(e.category) || audit_field(e.event)
		|| audit_field(e.actor_kind) || audit_field(uuid_send(e.actor_id)) || audit_field(e.actor_name)
		|| audit_field(e.object_kind) || audit_field(uuid_send(e.object_id)) || audit_field(e.object_name)
		|| audit_field(e.detail::text) || audit_field(e.address) || audit_field(e.request) || audit_field(e.written_by)
		|| audit_field(e.previous))
$$;

-- Definer: no role may write the tables. The tenant is the transaction's; only the operator's side and the administrator may
-- write without one, into the installation's chain. A role can only name actors of its own kind, so that the operator's
-- console cannot log in a tenant's user's name, nor the agent service in a person's.
CREATE FUNCTION audit_append(category text, event text, actor_kind text, actor_id uuid, actor_name text, object_kind text,
	object_id uuid, object_name text, detail json, address text, request text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	e audit_entry;
	h audit_head;
BEGIN
	e.tenant := coalesce(current_tenant(), nil);
	IF e.tenant = nil AND (current_tenant() IS NOT NULL OR session_user IN ('keyward_console', 'keyward_agent')) THEN
		RAISE EXCEPTION 'an entry needs a tenant' USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF e.tenant <> nil AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = e.tenant) THEN
		RAISE EXCEPTION 'no such tenant' USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF NOT (CASE session_user
		WHEN 'keyward_central' THEN actor_kind IN ('operator', 'system', 'anonymous')
		WHEN 'keyward_console' THEN actor_kind IN ('user', 'system', 'anonymous')
		WHEN 'keyward_agent' THEN actor_kind IN ('agent', 'system', 'anonymous')
		WHEN 'keyward_jobs' THEN actor_kind = 'system'
		ELSE true END) THEN
		RAISE EXCEPTION 'role % cannot log as %', session_user, actor_kind USING ERRCODE = 'insufficient_privilege';
	END IF;
	INSERT INTO audit_head VALUES (e.tenant, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
	SELECT * INTO h FROM audit_head a WHERE a.tenant = e.tenant FOR UPDATE;
	e.seq := h.seq + 1;
	e.at := clock_timestamp();
	e.category := category;
	e.event := event;
	e.actor_kind := actor_kind;
	e.actor_id := actor_id;
	e.actor_name := actor_name;
	e.object_kind := object_kind;
	e.object_id := object_id;
	e.object_name := object_name;
	e.detail := detail;
	e.address := address;
	e.request := request;
	e.written_by := session_user;
	e.previous := h.hash;
	e.hash := audit_hash(e);
	INSERT INTO audit_entry VALUES (e.*);
	UPDATE audit_head a SET seq = e.seq, hash = e.hash WHERE a.tenant = e.tenant;
	RETURN e.seq;
END
$$;
GRANT EXECUTE ON FUNCTION audit_append(text, text, text, uuid, text, text, uuid, text, json, text, text)
	TO keyward_central, keyward_console, keyward_agent, keyward_jobs;
