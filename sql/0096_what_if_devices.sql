-- What-if (POL-7): a new policy whose draft has chosen devices is tried on the requests of those.
ALTER TABLE what_if ADD devices uuid[];
COMMENT ON COLUMN what_if.devices IS 'whose requests a new policy is tried on; null: its draft has chosen none, so those of all';
