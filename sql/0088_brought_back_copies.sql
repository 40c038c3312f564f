-- As in sql/0079, and: the token on the disk of a clone (DEV-5) names the device and the version that its first key was made for, so that is what its
-- disk of before its own first rotation has.
CREATE OR REPLACE FUNCTION rotation_brought_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_user = 'keyward_agent' AND (NEW.reason <> 'brought-back' OR NEW.state <> 'removing' OR NEW.kind <> 'device-key'
		OR NOT EXISTS (SELECT 1 FROM device d
			JOIN device_key n ON n.tenant = d.tenant AND n.device = d.id AND n.state = 'active' AND n.version = NEW.to_version
			JOIN device_key f ON f.tenant = d.tenant AND f.device = d.id AND f.state = 'former' AND f.version = NEW.from_version
			WHERE d.tenant = NEW.tenant AND d.id = NEW.device AND d.token_account = d.tenant AND f.version < n.version
				AND (coalesce(f.made_for, f.device), coalesce(f.made_version, f.version)) = (d.token_device, d.token_version))) THEN
		RAISE EXCEPTION 'the disk of this device is not from before a rotation' USING ERRCODE = 'insufficient_privilege';
	END IF;
	RETURN NEW;
END
$$;
