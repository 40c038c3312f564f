-- The lists of the bell, however many notices there are: by the first of a notice's events, which says who may see it; one's own; by severity. (An
-- index on all events would be of no use here: row security lets no operator of arrays see rows before it has.)
CREATE INDEX notice_event ON notice (tenant, (events[1]), seq);
CREATE INDEX notice_of_person ON notice (tenant, object, seq) WHERE object_kind = 'user';
CREATE INDEX notice_severity ON notice (tenant, severity, seq);
