/* fuzz_integrity.c - what the Integrity Check Module reads and somebody else has written: names of processes, headers of pattern files,
 * texts of package managers. The first byte chooses the reader. */
#include <stdlib.h>
#include <string.h>

#include "agent/integrity/family.h"
#include "agent/integrity/processes.h"
#include "agent/integrity/wish.h"
#include "base/err.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was read must be fit for a message. */
static void check(const json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	if (text == NULL)
		fatal("facts that are no JSON");
	free(text);
}

static void read_stat(char *text)
{
	char name[PROCESS_NAME_MAX + 1];
	json_t *o = json_object();

	if (processes_read_stat(text, name)) {
		fact_clean(name);
		if (json_object_set_new(o, name, json_integer(1)) < 0)
			fatal("a name that is no text");
	}
	check(o);
	json_decref(o);
}

static void read_updates(char *text)
{
	int pending, security;

	updates_read(text, &pending, &security);
}

static void read_apt(char *text)
{
	int pending, security;

	updates_take_apt(text, &pending, &security);
	if (pending < 0 || security < 0 || security > pending)
		fatal("updates that cannot be");
}

static void read_wish(char *text)
{
	struct wish w;

	if (wish_parse(text, strlen(text), &w) == 0)
		wish_clear(&w);
}

static void read_rpm(char *text)
{
	json_t *o = json_object();

	packages_take_rpm(text, o);
	check(o);
	json_decref(o);
}

static void read_clamav(char *text)
{
	json_t *o = json_object();

	products_read_clamav(text, strlen(text), o);
	check(o);
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(char *text) = { read_stat, read_updates, read_rpm, read_clamav, read_apt,
		read_wish };
	char *text;

	if (size == 0)
		return 0;
	text = mem_dup(data + 1, size - 1);
	readers[data[0] % ARRAY_LEN(readers)](text);
	free(text);
	return 0;
}
