-- A disk that was brought back from before a rotation (an older state of a virtual machine, say) has its former key alone. The rotation's last
-- steps are done once more on it: a row as of the rotation that it missed, by which both keys are given until the agent has done them (KEY-6).

ALTER TABLE rotation DROP CONSTRAINT rotation_reason_check,
	ADD CONSTRAINT rotation_reason_check CHECK (reason IN ('person', 'age', 'brought-back'));
GRANT INSERT (tenant, id, device, state, reason, begun, from_version, to_version) ON rotation TO keyward_agent;

-- The agent service adds no other rows than these: from the key that the token on the disk names, which is a former one, to the current one.
CREATE FUNCTION rotation_brought_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_user = 'keyward_agent' AND (NEW.reason <> 'brought-back' OR NEW.state <> 'removing' OR NEW.kind <> 'device-key'
		OR NOT EXISTS (SELECT 1 FROM device d
			JOIN device_key n ON n.tenant = d.tenant AND n.device = d.id AND n.state = 'active' AND n.version = NEW.to_version
			JOIN device_key f ON f.tenant = d.tenant AND f.device = d.id AND f.state = 'former' AND f.version = NEW.from_version
			WHERE d.tenant = NEW.tenant AND d.id = NEW.device AND d.token_account = d.tenant AND d.token_device = d.id
				AND d.token_version = f.version AND f.version < n.version)) THEN
		RAISE EXCEPTION 'the disk of this device is not from before a rotation' USING ERRCODE = 'insufficient_privilege';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER rotation_brought_back BEFORE INSERT ON rotation FOR EACH ROW EXECUTE FUNCTION rotation_brought_back();
