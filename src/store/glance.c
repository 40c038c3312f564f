/* glance.c - what the dashboard counts: no number costs more than GLANCE_NEWEST rows of an index that lists need anyway. */
#include "store/glance.h"

#define OPEN(integrity) "'" integrity "', count(*) filter (where r.integrity = '" integrity "')"

static const char fleet[] = "select (select json_build_object(" OPEN("good") ", " OPEN("bad") ", " OPEN("unknown") ", " OPEN("failed") ") from (select"
	" integrity from key_request where closed is null order by requested desc, id desc limit $1) r) as integrity,"
	" (select coalesce(json_agg(json_build_object('name', v.version, 'agents', v.n) order by v.n desc, v.version), '[]') from (select a.version, count(*) as n"
	" from (select version from agent where state = 'active' and last_heartbeat is not null order by last_heartbeat desc limit $1) a group by a.version"
	" order by n desc, a.version limit $2) v) as versions";

int glance_fleet(struct db *db, json_t **out)
{
	return db_get_row(db, out, fleet, DB_ARGS(db_int_arg(GLANCE_NEWEST), db_int_arg(GLANCE_VERSIONS_MAX)));
}
