-- Devices by name as people sort names (store/list.h, LIST_NAME): ä beside a, upper beside lower case.
DROP INDEX device_name;
CREATE INDEX device_name ON device (tenant, name COLLATE "und-x-icu", id);
