/* updates.c - updates that wait, where something else on the machine has counted them already: working it out anew would load the
 * guest for seconds. update-notifier (Ubuntu) keeps a text with the numbers. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/integrity/family.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define NOTIFIER "/var/lib/update-notifier/updates-available"
#define NOTIFIER_MAX 65536

/* The number at the start of a line that has WORDS in it; -1: no such line. */
static int number_before(const char *text, const char *words)
{
	int n = -1;

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		const char *found = strstr(line, words), *end = strchr(line, '\n');

		if (isdigit((unsigned char)line[0]) && found && (end == NULL || found < end))
			n = (int)strtol(line, NULL, 10);
	}
	return n;
}

/* The words have changed with the years; lines about what a subscription would bring besides are not meant. */
void updates_read(const char *text, int *pending, int *security)
{
	static const char *const all[] = { "can be applied immediately", "can be installed immediately", "can be updated" };
	static const char *const some[] = { "are standard security updates", "is a standard security update", "are security updates",
		"is a security update" };

	*pending = *security = -1;
	for (size_t i = 0; i < ARRAY_LEN(all) && *pending < 0; i++)
		*pending = number_before(text, all[i]);
	for (size_t i = 0; i < ARRAY_LEN(some) && *security < 0; i++)
		*security = number_before(text, some[i]);
	/* Of none there is no line. */
	if (*pending >= 0 && *security < 0)
		*security = 0;
}

static void read_notifier(int *pending, int *security)
{
	struct buf text = BUF_INIT;

	*pending = *security = -1;
	if (file_read(NOTIFIER, NOTIFIER_MAX, &text) == 0)
		updates_read(buf_str(&text), pending, security);
	buf_free(&text);
}

json_t *fact_pending(struct facts_run *run)
{
	int pending, security;

	read_notifier(&pending, &security);
	return pending < 0 ? NULL : json_integer(pending);
}

json_t *fact_pending_security(struct facts_run *run)
{
	int pending, security;

	read_notifier(&pending, &security);
	return security < 0 ? NULL : json_integer(security);
}

/* When the lists of what there is were last fetched. */
json_t *fact_checked(struct facts_run *run)
{
	static const char *const marks[] = { "/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists",
		"/var/cache/dnf/last_makecache" };
	char text[CLOCK_TEXT_SIZE];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (stat(marks[i], &st) < 0)
			continue;
		clock_text((clock_us)st.st_mtim.tv_sec * CLOCK_SECOND, text);
		return json_string(text);
	}
	return NULL;
}
