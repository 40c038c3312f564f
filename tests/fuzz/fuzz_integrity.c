/* fuzz_integrity.c - what the Integrity Check Module reads and somebody else has written: names of processes, headers of pattern files,
 * texts of package managers, variables of the firmware. The first byte chooses the reader. */
#include <stdlib.h>

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

static void read_stat(char *text, size_t len)
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

static void read_updates(char *text, size_t len)
{
	int pending, security;

	updates_read(text, &pending, &security);
}

static void read_apt(char *text, size_t len)
{
	int pending, security;

	updates_take_apt(text, &pending, &security);
	if (pending < 0 || security < 0 || security > pending)
		fatal("updates that cannot be");
}

static void read_wish(char *text, size_t len)
{
	struct wish w;

	if (wish_parse(text, len, &w) == 0)
		wish_clear(&w);
}

static void read_rpm(char *text, size_t len)
{
	json_t *o = json_object();

	packages_take_rpm(text, o);
	check(o);
	json_decref(o);
}

static void read_clamav(char *text, size_t len)
{
	json_t *o = json_object();

	products_read_clamav(text, len, o);
	check(o);
	json_decref(o);
}

static void read_variable(char *text, size_t len)
{
	int value = firmware_take_switch(text, len);

	if (value != ERR_INVALID && (len != 5 || value < 0 || value > 1))
		fatal("a switch that cannot be");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(char *text, size_t len) = { read_stat, read_updates, read_rpm, read_clamav, read_apt,
		read_wish, read_variable };
	char *text;

	if (size == 0)
		return 0;
	text = mem_dup(data + 1, size - 1);
	readers[data[0] % ARRAY_LEN(readers)](text, size - 1);
	free(text);
	return 0;
}
