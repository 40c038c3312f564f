-- Volumes that change hands (VOL-7): adopted with the data on them, handed over to their owner, decrypted in place.

ALTER TABLE device
	DROP CONSTRAINT device_status_check,
	ADD CONSTRAINT device_status_check CHECK (status IN ('not-configured', 'configured', 'encryption-pending', 'encrypting', 'encrypted',
		'in-use', 'decrypting', 'encryption-error', 'undetected', 'device-missing')),
	ADD adopted timestamptz,                -- its volume was there before: then, by what the header says of itself
	ADD adopting boolean NOT NULL DEFAULT false,    -- while Encrypting: nothing is written but a key slot and a token, and it is no task
	ADD release text NOT NULL DEFAULT '' CHECK (release IN ('', 'hand-over', 'decrypt')),   -- what a person allows the guest to do
	ADD release_destroys boolean NOT NULL DEFAULT false,    -- its keys go for good then; else they are kept as former ones
	ADD release_by text NOT NULL DEFAULT '',        -- who allowed it
	DROP CONSTRAINT device_mode_check,
	DROP CONSTRAINT device_check,
	-- DEV-8 says what is made here; what is adopted may be anything that dm-crypt knows.
	ADD CONSTRAINT device_cipher CHECK (adopted IS NOT NULL
		OR (mode = 'xts-plain64' AND key_bits IN (128, 256)) OR (mode = 'cbc-essiv:sha256' AND key_bits IN (128, 192, 256)));

-- What a person decides of a device an agent cannot change. What the header of a volume says is no decision; where it is to be mounted
-- an agent may propose for a device that nobody has configured.
CREATE FUNCTION device_adopt(wanted uuid, new_filesystem text, new_mount_point text, new_access text, new_cipher text, new_mode text,
	new_key_bits int, new_hash text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	UPDATE device d SET adopting = true, adopted = now(), os = CASE WHEN d.os = '' THEN 'linux' ELSE d.os END,
		filesystem = CASE WHEN new_filesystem = '' THEN d.filesystem ELSE new_filesystem END,
		mount_point = CASE WHEN d.configured IS NULL THEN new_mount_point ELSE d.mount_point END,
		access = CASE WHEN d.configured IS NULL THEN new_access ELSE d.access END, cipher = new_cipher, mode = new_mode,
		key_bits = new_key_bits, hash = new_hash, configured = coalesce(d.configured, now())
		WHERE d.id = wanted AND d.status IN ('not-configured', 'configured', 'encryption-error') AND d.raid IS NULL AND d.kind <> 'raid-0';
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this device cannot be adopted' USING ERRCODE = 'no_data_found';
	END IF;
END
$$;
-- Only what a person has allowed. The number of keys that are gone.
CREATE FUNCTION device_released(wanted uuid) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	destroys boolean;
	gone int := 0;
BEGIN
	UPDATE device d SET release = '' FROM device former WHERE d.id = wanted AND former.tenant = d.tenant AND former.id = d.id
		AND former.release <> '' RETURNING former.release_destroys INTO destroys;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'nobody has allowed it' USING ERRCODE = 'insufficient_privilege';
	END IF;
	UPDATE device SET filesystem = '', mount_point = '', configured = NULL, luks_uuid = '', key_created = NULL, key_rotated = NULL,
		progress = 0, overwrite = false, error = NULL, adopted = NULL, adopting = false, release_by = '', access = 'read-write',
		cipher = 'aes', mode = 'xts-plain64', key_bits = 256, hash = 'sha256' WHERE id = wanted;
	IF destroys THEN
		DELETE FROM device_key WHERE device = wanted;
		GET DIAGNOSTICS gone = ROW_COUNT;
	ELSE
		UPDATE device_key SET state = 'former' WHERE device = wanted AND state = 'active';
	END IF;
	RETURN gone;
END
$$;
GRANT EXECUTE ON FUNCTION device_adopt(uuid, text, text, text, text, text, int, text), device_released(uuid)
	TO keyward_agent;
GRANT UPDATE (adopting) ON device TO keyward_agent;
