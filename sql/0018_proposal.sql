-- What guests would have done to devices of their own (CFG-2, batch provisioning). Whether that is done at once is the tenant's choice:
-- tenant.settings.guest_proposals: refuse, ask, empty (without it), confirmed.

CREATE TABLE device_proposal (
	tenant uuid NOT NULL,
	device uuid NOT NULL,
	instance uuid NOT NULL,                 -- which proposes it
	name text NOT NULL DEFAULT '',          -- '': as it is
	os text NOT NULL,
	filesystem text NOT NULL,
	mount_point text NOT NULL,
	access text NOT NULL CHECK (access IN ('read-only', 'read-write')),
	mode text NOT NULL CHECK (mode IN ('xts-plain64', 'cbc-essiv:sha256')),
	key_bits int NOT NULL,
	overwrite boolean NOT NULL,             -- the guest's administrator has named it for that
	proposed timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, device),
	FOREIGN KEY (tenant, device) REFERENCES device ON DELETE CASCADE,
	FOREIGN KEY (tenant, instance) REFERENCES instance ON DELETE CASCADE,
	-- DEV-8
	CHECK ((mode = 'xts-plain64' AND key_bits IN (128, 256)) OR (mode = 'cbc-essiv:sha256' AND key_bits IN (128, 192, 256)))
);
SELECT isolate('device_proposal');
CREATE INDEX device_proposal_instance ON device_proposal (tenant, instance);
GRANT SELECT, DELETE ON device_proposal TO keyward_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON device_proposal TO keyward_agent;

-- A device that is configured, by whomever, has no proposal any more.
CREATE FUNCTION device_proposal_settled() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	DELETE FROM device_proposal WHERE tenant = NEW.tenant AND device = NEW.id;
	RETURN NULL;
END
$$;
CREATE TRIGGER device_proposal_settled AFTER UPDATE OF status ON device FOR EACH ROW
	WHEN (OLD.status = 'not-configured' AND NEW.status <> 'not-configured') EXECUTE FUNCTION device_proposal_settled();

-- Does what is proposed for a device, where the tenant has it so. The agents' role cannot change a device's configuration; this is the
-- one way, and it looks at everything again: nothing that the agent service gets wrong can overwrite what is on a device.
CREATE FUNCTION device_proposal_apply(wanted uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	p device_proposal;
	d device;
	allowed text;
BEGIN
	SELECT coalesce(settings ->> 'guest_proposals', 'empty') INTO STRICT allowed FROM tenant WHERE id = current_tenant();
	SELECT * INTO STRICT p FROM device_proposal WHERE tenant = current_tenant() AND device = wanted;
	SELECT * INTO STRICT d FROM device WHERE tenant = current_tenant() AND id = wanted FOR UPDATE;
	IF allowed NOT IN ('empty', 'confirmed') OR d.status <> 'not-configured' OR d.is_system OR d.is_busy
		OR d.raid IS NOT NULL OR d.kind = 'raid-0'
		OR d.instance IS DISTINCT FROM p.instance
		OR (d.found_filesystem <> '' AND NOT (p.overwrite AND allowed = 'confirmed')) THEN
		RAISE EXCEPTION 'this proposal waits for a person' USING ERRCODE = 'insufficient_privilege';
	END IF;
	UPDATE device SET name = coalesce(nullif(p.name, ''), name), os = p.os, filesystem = p.filesystem, mount_point = p.mount_point,
		access = p.access, cipher = 'aes', mode = p.mode, hash = 'sha256', key_bits = p.key_bits, overwrite = d.found_filesystem <> '',
		status = 'encryption-pending', progress = 0, encrypt_by = NULL, error = NULL, configured = now(), changed = now()
		WHERE tenant = d.tenant AND id = d.id;
END
$$;
REVOKE EXECUTE ON FUNCTION device_proposal_apply(uuid), device_proposal_settled() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION device_proposal_apply(uuid) TO keyward_agent;
