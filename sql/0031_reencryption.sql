-- A volume that is encrypted anew under another volume key (KEY-6): its device key is given once more, where that was asked for and the volume
-- is open there under a delivered key. Otherwise as in sql/0025.
RESET ROLE;
CREATE OR REPLACE FUNCTION key_ticket_task(asking uuid, wanted uuid, wanted_version bigint, request uuid, recipient bytea) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
	RETURN (SELECT ticket_make(1, k.tenant, k.device, k.version, request, a.id, recipient, a.public_key)
		FROM device d JOIN device_key k ON k.tenant = d.tenant AND k.device = d.id AND k.version = wanted_version
		JOIN agent a ON a.id = asking AND a.state = 'active' AND a.instance = d.instance
		JOIN tenant t ON t.id = d.tenant AND t.state = 'active'
		WHERE d.id = wanted AND ((k.state = 'active' AND d.status = 'encrypting' AND k.used IS NULL)
			OR (k.state = 'active' AND d.release <> '')
			OR (EXISTS (SELECT 1 FROM rotation x WHERE x.tenant = d.tenant AND x.device = d.id
					AND ((x.kind = 'device-key' AND x.state IN ('adding', 'removing') AND wanted_version IN (x.from_version, x.to_version))
						OR (x.kind = 'volume-key' AND x.state = 'adding' AND k.state = 'active')))
				AND EXISTS (SELECT 1 FROM key_request q WHERE q.tenant = d.tenant AND q.device IN (d.id, d.raid) AND q.instance = d.instance
					AND q.closed IS NULL AND q.status = 'delivered' AND q.opened IS NOT NULL))));
END
$$;
SET ROLE keyward_owner;
