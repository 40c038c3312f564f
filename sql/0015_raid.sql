-- RAID 0 arrays (RAID-1): an array is a device of the kind 'raid-0', made in the console of other devices, its members. It is listed,
-- searched, configured, put into a policy, asked for and encrypted like any device; keys have its members, one each. Members go where
-- their array goes, and are used by it alone.

ALTER TABLE device
	ADD raid uuid,                          -- the array that it is a member of
	ADD raid_index int CHECK (raid_index >= 0),     -- its place in there, from 0
	ADD CONSTRAINT device_raid_place CHECK ((raid IS NULL) = (raid_index IS NULL)),
	ADD CONSTRAINT device_raid_flat CHECK (raid IS NULL OR kind <> 'raid-0'),
	ADD CONSTRAINT device_with_policy UNIQUE (tenant, id, policy),
	-- A member is in the policy of its array, always (POL-1). An array goes when nobody is a member of it any more.
	ADD CONSTRAINT device_raid FOREIGN KEY (tenant, raid, policy) REFERENCES device (tenant, id, policy) ON UPDATE CASCADE;
CREATE UNIQUE INDEX device_raid_index ON device (tenant, raid, raid_index) WHERE raid IS NOT NULL;

-- Arrays are all that a console makes: what machines have, agents report.
GRANT INSERT ON device TO keyward_console;
CREATE POLICY device_console_makes ON device AS RESTRICTIVE FOR INSERT TO keyward_console WITH CHECK (kind = 'raid-0');
