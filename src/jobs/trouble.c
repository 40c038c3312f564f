/* trouble.c - tells what the health of the installation (health/judge.h) says is bad, and what was given up: the same rows as on the page Health. */
#include "jobs/trouble.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "health/judge.h"
#include "health/look.h"
#include "render/words.h"
#include "store/trouble.h"

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

/* Of certificates people are told in good time by expiry.c, of the key server by the log's own events. */
static int is_told(const json_t *row)
{
	return health_level_of(row) == HEALTH_BAD && strcmp(text_of(row, "area"), "certificates") != 0;
}

/* As the log has it: in English. ROW's name becomes what it is called there. */
static int note(struct db *db, json_t *row)
{
	char *name = words_phrase_text(NULL, json_object_get(row, "name")), *value = words_phrase_text(NULL, json_object_get(row, "value"));
	char *reason = mem_printf("%s. %s", value, text_of(row, "advice"));
	const json_t *given_up = json_object_get(row, "given_up");
	int rc = is_told(row) ? trouble_note(db, text_of(row, "area"), name, reason) : 0;

	/* Also when there are none any more. */
	if (rc == 0 && given_up)
		rc = trouble_given_up(db, text_of(row, "area"), name, json_integer_value(given_up), reason);

	json_set_string(row, "name", name);
	free(name);
	free(value);
	free(reason);
	return rc;
}

int trouble_look(struct db *db, clock_us now)
{
	json_t *facts = NULL, *rows, *bad = json_array(), *row;
	size_t i;
	int rc = health_look_here(db, &facts);

	(void)now;
	rows = rc == 0 ? health_judge(facts) : NULL;
	json_array_foreach(rows, i, row)
		if (rc == 0 && (rc = note(db, row)) == 0 && is_told(row))
			json_array_append(bad, row);
	if (rc == 0)
		rc = trouble_over(db, bad);
	json_decref(bad);
	json_decref(rows);
	json_decref(facts);
	return rc;
}
