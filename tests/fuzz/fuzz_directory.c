/* fuzz_directory.c - what the sign-on service and its callers read of each other about directories: a message's head, settings, persons; and
 * that what was typed stays itself in a filter. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/directory.h"
#include "sso/ldap_person.h"
#include "sso/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_json(const char *text, size_t len)
{
	struct directory_person p;
	struct directory d;
	json_t *o;

	if (json_parse_object(text, len, DIRECTORY_SETTINGS_MAX, &o) < 0)
		return;
	if (directory_read(o, &d, NULL) == 0 && (d.server_count < 1 || d.server_count > DIRECTORY_SERVERS_MAX || d.servers[0].port < 1))
		abort();
	if (directory_person(o, &p) == 0 && (*p.id == '\0' || p.state >= DIRECTORY_STATE_COUNT))
		abort();
	json_decref(o);
}

/* No byte of VALUE can end what it stands in, or be more than itself. */
static void fill(const char *value)
{
	char *filter = ldap_person_filter("(&(a=b)(uid={login}))", value);
	size_t len = strlen(filter), head = strlen("(&(a=b)(uid=");

	if (len < head + 2 || strcmp(filter + len - 2, "))") != 0)
		abort();
	for (size_t i = head; i < len - 2; i++)
		if (strchr("()*", filter[i]) || (filter[i] == '\\' && (!strchr("0123456789abcdef", filter[i + 1]) || !strchr("0123456789abcdef", filter[i + 2]))))
			abort();
	free(filter);
}

static void read_head(const uint8_t *data, size_t size)
{
	struct buf in = BUF_INIT;
	const struct sso_kind *kind;
	struct uuid request, tenant;

	buf_add(&in, data, size);
	if (service_head(&in, &kind, &request, &tenant) == 0 && kind == NULL)
		abort();
	buf_free(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = mem_dup(data + 1, size - 1);
	if (data[0] % 3 == 0)
		read_json(text, size - 1);
	else if (data[0] % 3 == 1)
		fill(text);
	else
		read_head(data + 1, size - 1);
	free(text);
	return 0;
}
