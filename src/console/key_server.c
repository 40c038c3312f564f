/* key_server.c - a tenant's own key server (KEY-3), and where keys of its new devices are kept. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "shared/key_server.h"
#include "web/doc.h"

static const char *const places[] = { "default", "server", "installation", "tenant", NULL };
static const struct {
	const char *place, *label;
} labels[] = {
	{ "server", "In this installation's database" }, { "installation", "On the operator's key server" }, { "tenant", "On this account's key server" },
};

const struct route_param key_place_fields[] = {
	{ "place", "Keep keys of new devices", PARAM_ENUM, PARAM_REQUIRED, 0, 0, places },
	PARAM_END
};

const char *key_place_label(const char *place)
{
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (strcmp(labels[i].place, place) == 0)
			return labels[i].label;
	return labels[0].label;
}

static void offer(struct call *c, const char *choice, const char *place, const char *text)
{
	call_form_option(c, "place", place, text, NULL, strcmp(choice, place) == 0);
}

static int set_place(struct call *c)
{
	json_t *row = NULL, *text;
	const char *choice;
	int rc = key_place_get(c->db, &row);

	if (rc < 0)
		return rc;
	choice = doc_text(row, "choice");
	text = json_sprintf("%s (%s)", call_translate(c, "As the operator has set"), call_translate(c, key_place_label(doc_text(row, "by_default"))));
	call_form(c, "place", json_string(choice));
	offer(c, choice, "default", json_string_value(text));
	offer(c, choice, "server", call_translate(c, key_place_label("server")));
	if (json_is_true(json_object_get(row, "offered")) || strcmp(choice, "installation") == 0)
		offer(c, choice, "installation", call_translate(c, key_place_label("installation")));
	if (json_is_true(json_object_get(row, "own")) || strcmp(choice, "tenant") == 0)
		offer(c, choice, "tenant", call_translate(c, key_place_label("tenant")));
	call_set(c, "place", json_string(call_translate(c, key_place_label(doc_text(row, "now")))));
	json_decref(text);
	json_decref(row);
	return 0;
}

int key_server_page(struct call *c)
{
	int rc = key_server_show_page(c);

	return rc < 0 ? rc : set_place(c);
}

int key_place_save(struct call *c)
{
	int rc = key_place_set(c->db, call_text(c, "place"));

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "There is no such key server any more.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "Saved. It holds for keys that are made from now on; a device's key moves when it is rotated.");
	call_redirect(c, "/account/key-server");
	return 0;
}
