/* key_server.c - the installation's key server (KEY-3), and whether tenants' device keys are kept there unless they choose otherwise. */
#include "base/err.h"
#include "base/json.h"
#include "central/pages.h"
#include "shared/key_server.h"
#include "web/doc.h"

const struct route_param central_key_server_new_fields[] = {
	{ "for_new", "Keep keys of new devices on the key server", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

/* Whose own one is away. */
static int set_away(struct call *c)
{
	json_t *rows = NULL, *list = json_array();
	const json_t *row;
	size_t i;
	int rc = key_servers_away(c->db, &rows);

	if (rc == 0)
		json_array_foreach(rows, i, row)
			json_array_append_new(list, json_pack("{s:O, s:o, s:o}", "name", json_object_get(row, "name"), "url",
				json_sprintf("/tenants/%s", doc_text(row, "id")), "since", doc_when(c, row, "since")));
	call_set(c, "has_away", json_boolean(json_array_size(list)));
	call_set(c, "away", list);
	json_decref(rows);
	return rc;
}

int central_key_server_page(struct call *c)
{
	int rc = key_server_show_page(c);

	call_form(c, "for_new", json_boolean(json_is_true(json_object_get(json_object_get(c->doc, "server"), "for_new"))));
	return rc < 0 ? rc : set_away(c);
}

int central_key_server_new_keys(struct call *c)
{
	int rc = key_server_for_all(c->db, call_bool(c, "for_new"));

	if (rc < 0)
		return rc;
	call_notice(c, "success", "Saved. It holds for keys that are made from now on.");
	call_redirect(c, "/key-server");
	return 0;
}
