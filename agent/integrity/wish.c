/* wish.c - a wish as JSON and back. */
#include "agent/integrity/wish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

char *wish_text(const struct facts_wish *wish, const json_t *known, const json_t *skip)
{
	json_t *files = json_array(), *o;
	char *text;

	for (int i = 0; i < wish->files_count; i++)
		json_array_append_new(files, json_string(wish->files[i].path));
	o = json_pack("{s:o, s:O, s:O}", "files", files, "known", known, "skip", skip);
	if (wish->who) {
		json_set_string(o, "region", wish->who->region);
		json_set_string(o, "zone", wish->who->zone);
	}
	if (wish->user_data)
		json_set_string(o, "user_data", wish->user_data);
	if (wish->cache)
		json_set_string(o, "cache", wish->cache);
	text = json_text(o);
	json_decref(o);
	return text;
}

static int take_text(const json_t *o, const char *name, char *out, size_t size)
{
	const char *text = "";
	int rc = json_get_string_opt(o, name, size - 1, &text);

	if (rc == 0)
		snprintf(out, size, "%s", text);
	return rc;
}

static int take_files(const json_t *o, struct wish *w)
{
	struct proto_watch *files;
	json_t *list, *path;
	size_t i;
	int rc = json_get_array(o, "files", PROTO_WATCH_MAX, &list);

	if (rc < 0)
		return rc;
	w->facts.files = files = mem_array(PROTO_WATCH_MAX, sizeof *files);
	json_array_foreach(list, i, path) {
		if (!json_is_string(path) || json_string_length(path) > PROTO_PATH_MAX)
			return err_set(ERR_INVALID, "files[%zu] is no path", i);
		snprintf(files[i].path, sizeof files[i].path, "%s", json_string_value(path));
	}
	w->facts.files_count = (int)json_array_size(list);
	return 0;
}

static int take(const json_t *o, struct wish *w)
{
	int rc = take_files(o, w);

	if (rc == 0)
		rc = take_text(o, "region", w->who.region, sizeof w->who.region);
	if (rc == 0)
		rc = take_text(o, "zone", w->who.zone, sizeof w->who.zone);
	if (rc == 0)
		rc = json_get_string_opt(o, "user_data", PLUGIN_USER_DATA_MAX, &w->facts.user_data);
	if (rc == 0)
		rc = json_get_string_opt(o, "cache", 4096, &w->facts.cache);
	if (rc == 0)
		rc = json_get_object(o, "known", &w->known);
	if (rc == 0)
		rc = json_get_object(o, "skip", &w->skip);
	return rc;
}

int wish_parse(const char *text, size_t len, struct wish *out)
{
	int rc;

	memset(out, 0, sizeof *out);
	rc = json_parse_object(text, len, WISH_MAX, &out->doc);
	if (rc == 0)
		rc = take(out->doc, out);
	out->facts.who = &out->who;
	if (rc < 0)
		wish_clear(out);
	return rc;
}

void wish_clear(struct wish *w)
{
	union { const struct proto_watch *read; struct proto_watch *write; } files = { .read = w->facts.files };

	free(files.write);
	json_decref(w->doc);
	memset(w, 0, sizeof *w);
}
