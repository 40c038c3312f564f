/* test_health.c - what is the matter with an installation, from facts alone: each threshold from both sides. */
#include "check.h"

#include "base/json.h"
#include "health/judge.h"
#include "health/look.h"

/* An installation with nothing to say about it. */
static const char well[] =
	"{\"now\": \"2026-11-27T12:00:00Z\", \"processes\": ["
	" {\"kind\": \"web\", \"host\": \"a\", \"age\": 5, \"skew\": 0, \"away\": null, \"version\": \"1.0\", \"detail\": {}},"
	" {\"kind\": \"jobd\", \"host\": \"a\", \"age\": 5, \"skew\": 0, \"away\": null, \"version\": \"1.0\", \"detail\": {\"clock\": true, \"disks\":"
	"  {\"state\": {\"total\": 1000000000000, \"free\": 900000000000}}}},"
	" {\"kind\": \"keyd\", \"host\": \"a\", \"age\": 5, \"skew\": null, \"away\": null, \"version\": \"1.0\", \"detail\": {\"sealed\": false, \"provider\": \"file\"}}],"
	" \"queue\": {\"waiting\": 0, \"later\": 0, \"running\": 0, \"failed\": 0, \"behind\": null},"
	" \"database\": {\"version\": \"15.1\", \"schema\": \"0051\", \"connections\": 10, \"most\": 100, \"standby\": false, \"tls\": false, \"address\": \"\", \"uncommitted\": 1},"
	" \"key_server\": null, \"key_servers_away\": 0, \"mail\": {\"set\": true, \"waiting\": 0, \"failed\": 0},"
	" \"certificates\": [{\"what\": \"Web server\", \"renew\": \"Renew it.\", \"subject\": \"CN=a\", \"days\": 90}],"
	" \"backup\": {\"last\": \"2026-11-27T02:00:00Z\", \"failed\": false}, \"root\": {\"since\": \"2026-11-01T00:00:00Z\", \"days\": 365}}";

/* CHANGE goes into the facts member by member; one of a process (by its number) when PROCESS is not negative. */
static json_t *facts_with(const char *change, int process)
{
	json_t *facts = json_loads(well, 0, NULL), *more = json_loads(change, 0, NULL);

	CHECK(facts && more);        /* they are the test's own */
	json_object_update_recursive(process < 0 ? facts : json_array_get(json_object_get(facts, "processes"), (size_t)process), more);
	json_decref(more);
	return facts;
}

static json_t *judged(const char *change, int process)
{
	json_t *facts = facts_with(change, process), *rows = health_judge(facts);

	json_decref(facts);
	return rows;
}

TEST(an_installation_that_is_well, "ADM-2")
{
	json_t *rows = judged("{}", -1), *row;
	size_t i;

	CHECK_INT(health_worst(rows, NULL), HEALTH_GOOD);
	json_array_foreach(rows, i, row) {
		/* Every area has its say, and what is well needs no advice. */
		CHECK_STR(json_string_value(json_object_get(row, "advice")), "");
		CHECK(json_object_get(json_object_get(row, "value"), "say") || json_object_get(json_object_get(row, "value"), "list"));
	}
#define X(id, name, label) \
	for (i = 0; i < json_array_size(rows) && strcmp(json_string_value(json_object_get(json_array_get(rows, i), "area")), name) != 0; i++) \
		; \
	CHECK(i < json_array_size(rows));
	HEALTH_AREAS(X)
#undef X
	json_decref(rows);
}

TEST(each_threshold_from_both_sides, "ADM-2")
{
	static const struct { const char *change; int process; const char *area; enum health_level level; } rows[] = {
		/* processes: silent for over half a minute, or said to be away */
		{ "{\"age\": 30}", 0, "processes", HEALTH_GOOD },
		{ "{\"age\": 31}", 0, "processes", HEALTH_BAD },
		{ "{\"age\": 31}", 1, "processes", HEALTH_BAD },
		{ "{\"away\": \"refused\"}", 2, "processes", HEALTH_BAD },
		{ "{\"version\": \"1.1\"}", 0, "processes", HEALTH_WARN },
		{ "{\"version\": \"1.1\", \"age\": 31}", 2, "processes", HEALTH_BAD },
		/* the queue */
		{ "{\"queue\": {\"waiting\": 3, \"behind\": 59}}", -1, "queue", HEALTH_GOOD },
		{ "{\"queue\": {\"waiting\": 3, \"behind\": 60}}", -1, "queue", HEALTH_WARN },
		{ "{\"queue\": {\"waiting\": 3, \"behind\": 600}}", -1, "queue", HEALTH_BAD },
		{ "{\"queue\": {\"failed\": 1}}", -1, "queue", HEALTH_WARN },
		/* the database */
		{ "{\"database\": {\"connections\": 79}}", -1, "database", HEALTH_GOOD },
		{ "{\"database\": {\"connections\": 80}}", -1, "database", HEALTH_WARN },
		{ "{\"database\": {\"connections\": 95}}", -1, "database", HEALTH_BAD },
		{ "{\"database\": {\"standby\": true}}", -1, "database", HEALTH_BAD },
		{ "{\"database\": {\"uncommitted\": 299}}", -1, "database", HEALTH_GOOD },
		{ "{\"database\": {\"uncommitted\": 300}}", -1, "database", HEALTH_WARN },
		{ "{\"database\": {\"uncommitted\": null}}", -1, "database", HEALTH_GOOD },
		{ "{\"database\": {\"address\": \"127.0.0.1\"}}", -1, "database", HEALTH_GOOD },
		{ "{\"database\": {\"address\": \"10.0.0.5\"}}", -1, "database", HEALTH_BAD },
		{ "{\"database\": {\"address\": \"10.0.0.5\", \"tls\": true}}", -1, "database", HEALTH_GOOD },
		/* the log in a database of its own: away, behind, or forgotten by the settings */
		{ "{\"log\": {\"own\": true, \"away\": null, \"waiting\": 3, \"since\": \"2026-11-27T11:59:01Z\"}}", -1, "database", HEALTH_GOOD },
		{ "{\"log\": {\"own\": true, \"away\": null, \"waiting\": 3, \"since\": \"2026-11-27T11:59:00Z\"}}", -1, "database", HEALTH_WARN },
		{ "{\"log\": {\"own\": true, \"away\": null, \"waiting\": 3, \"since\": \"2026-11-27T11:50:00Z\"}}", -1, "database", HEALTH_BAD },
		{ "{\"log\": {\"own\": true, \"away\": \"no connection\", \"waiting\": 0, \"since\": null}}", -1, "database", HEALTH_BAD },
		{ "{\"log\": {\"own\": false, \"away\": null, \"waiting\": 9, \"since\": null, \"copied\": 0}}", -1, "database", HEALTH_GOOD },
		{ "{\"log\": {\"own\": false, \"away\": null, \"waiting\": 9, \"since\": null, \"copied\": 1}}", -1, "database", HEALTH_BAD },
		/* disks: a share, unless that is a lot of room all the same */
		{ "{\"detail\": {\"disks\": {\"state\": {\"total\": 100000000000, \"free\": 20000000000}}}}", 1, "disk", HEALTH_GOOD },
		{ "{\"detail\": {\"disks\": {\"state\": {\"total\": 100000000000, \"free\": 19000000000}}}}", 1, "disk", HEALTH_WARN },
		{ "{\"detail\": {\"disks\": {\"state\": {\"total\": 1000000000000, \"free\": 190000000000}}}}", 1, "disk", HEALTH_GOOD },
		{ "{\"detail\": {\"disks\": {\"state\": {\"total\": 100000000000, \"free\": 4000000000}}}}", 1, "disk", HEALTH_BAD },
		{ "{\"detail\": {\"disks\": {\"state\": {\"total\": 1000000000000, \"free\": 40000000000}}}}", 1, "disk", HEALTH_WARN },
		{ "{\"age\": 31}", 1, "disk", HEALTH_WARN },
		/* clocks, either way */
		{ "{\"detail\": {\"clock\": false}}", 1, "clock", HEALTH_WARN },
		{ "{\"skew\": 1999999}", 0, "clock", HEALTH_GOOD },
		{ "{\"skew\": -2000000}", 0, "clock", HEALTH_WARN },
		{ "{\"skew\": 30000000}", 0, "clock", HEALTH_BAD },
		/* keys */
		{ "{\"detail\": {\"sealed\": true}}", 2, "keys", HEALTH_BAD },
		{ "{\"root\": {\"since\": \"2025-11-27T12:00:00Z\"}}", -1, "keys", HEALTH_GOOD },
		{ "{\"root\": {\"since\": \"2025-11-27T11:59:59Z\"}}", -1, "keys", HEALTH_WARN },
		{ "{\"root\": {\"since\": \"2005-11-27T11:59:59Z\", \"days\": 0}}", -1, "keys", HEALTH_GOOD },
		{ "{\"key_server\": {\"host\": \"k\", \"away_since\": null}}", -1, "keys", HEALTH_GOOD },
		{ "{\"key_server\": {\"host\": \"k\", \"away_since\": \"2026-11-27T11:00:00Z\", \"error\": \"no connection\"}}", -1, "keys", HEALTH_BAD },
		{ "{\"key_servers_away\": 2}", -1, "keys", HEALTH_WARN },
		/* certificates */
		{ "{\"certificates\": [{\"what\": \"w\", \"renew\": \"r\", \"subject\": \"s\", \"days\": 31}]}", -1, "certificates", HEALTH_GOOD },
		{ "{\"certificates\": [{\"what\": \"w\", \"renew\": \"r\", \"subject\": \"s\", \"days\": 30}]}", -1, "certificates", HEALTH_WARN },
		{ "{\"certificates\": [{\"what\": \"w\", \"renew\": \"r\", \"subject\": \"s\", \"days\": 7}]}", -1, "certificates", HEALTH_BAD },
		{ "{\"certificates\": [{\"what\": \"w\", \"renew\": \"r\", \"subject\": \"s\", \"days\": -1}]}", -1, "certificates", HEALTH_BAD },
		/* mail */
		{ "{\"mail\": {\"waiting\": 1, \"last_error\": \"e\", \"oldest\": \"2026-11-27T11:50:00Z\"}}", -1, "mail", HEALTH_WARN },
		{ "{\"mail\": {\"waiting\": 1, \"last_error\": \"e\", \"oldest\": \"2026-11-27T11:49:59Z\"}}", -1, "mail", HEALTH_BAD },
		{ "{\"mail\": {\"failed\": 1}}", -1, "mail", HEALTH_WARN },
		/* backups */
		{ "{\"backup\": {\"last\": \"2026-11-25T12:00:00Z\"}}", -1, "backup", HEALTH_GOOD },
		{ "{\"backup\": {\"last\": \"2026-11-25T11:59:59Z\"}}", -1, "backup", HEALTH_WARN },
		{ "{\"backup\": {\"last\": null}}", -1, "backup", HEALTH_WARN },
		{ "{\"backup\": {\"failed\": true}}", -1, "backup", HEALTH_BAD },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *got = judged(rows[i].change, rows[i].process);
		enum health_level worst = health_worst(got, rows[i].area);

		if (worst != rows[i].level)
			fprintf(stderr, "%s of process %d: %s\n", rows[i].change, rows[i].process, rows[i].area);
		CHECK_STR(health_level_name(worst), health_level_name(rows[i].level));
		json_decref(got);
	}
}

TEST(what_is_worst_stands_first_and_says_what_to_do, "ADM-2")
{
	json_t *rows = judged("{\"queue\": {\"failed\": 1, \"waiting\": 9, \"behind\": 601}}", -1), *row;
	const char *area = "";
	enum health_level before = HEALTH_BAD;
	size_t i;

	json_array_foreach(rows, i, row) {
		enum health_level level = health_level_of(row);
		const char *of = json_string_value(json_object_get(row, "area"));

		CHECK(strcmp(of, area) != 0 || level <= before);
		CHECK(level == HEALTH_GOOD || *json_string_value(json_object_get(row, "advice")));
		area = of;
		before = level;
	}
	json_decref(rows);
}

TEST(facts_that_are_missing_are_no_crash_and_not_well, "ADM-2, SEC-7")
{
	json_t *nothing = json_object(), *rows = health_judge(nothing);

	CHECK_INT(health_worst(rows, "processes"), HEALTH_BAD);
	CHECK_INT(health_worst(rows, "disk"), HEALTH_WARN);
	CHECK_INT(health_worst(rows, "backup"), HEALTH_WARN);
	json_decref(rows);
	json_decref(nothing);
}

/* Whether a row of AREA is of LEVEL. */
static int has_level(const json_t *rows, const char *area, enum health_level level)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (strcmp(json_string_value(json_object_get(row, "area")), area) == 0 && health_level_of(row) == level)
			return 1;
	return 0;
}

TEST(what_a_service_has_just_said_stands_for_what_its_row_says, "KEY-2, ADM-2")
{
	json_t *facts = json_loads(well, 0, NULL), *rows;

	/* Its row says "open" still. */
	health_asked(facts, "keyd", "a", "1.0", json_pack("{s:b, s:s, s:s, s:s}", "sealed", 1, "why", "w", "cause", "passphrase", "provider", "file"));
	rows = health_judge(facts);
	CHECK(has_level(rows, "keys", HEALTH_BAD) && !has_level(rows, "processes", HEALTH_BAD));
	json_decref(rows);
	/* And the other way. */
	health_asked(facts, "keyd", "a", "1.0", json_pack("{s:b, s:s}", "sealed", 0, "provider", "file"));
	rows = health_judge(facts);
	CHECK_INT(health_worst(rows, NULL), HEALTH_GOOD);
	json_decref(rows);
	health_asked(facts, "keyd", "a", "", NULL);
	rows = health_judge(facts);
	CHECK(has_level(rows, "processes", HEALTH_BAD));
	json_decref(rows);
	/* Another machine's is its own. */
	health_asked(facts, "keyd", "a", "1.0", json_pack("{s:b, s:s}", "sealed", 0, "provider", "file"));
	health_asked(facts, "keyd", "b", "1.0", json_pack("{s:b, s:s, s:s, s:s}", "sealed", 1, "why", "w", "cause", "pin", "provider", "pkcs11"));
	CHECK_INT((long)json_array_size(json_object_get(facts, "processes")), 4);
	rows = health_judge(facts);
	CHECK(has_level(rows, "keys", HEALTH_BAD) && has_level(rows, "keys", HEALTH_GOOD));
	json_decref(rows);
	json_decref(facts);
}

TEST_MAIN
