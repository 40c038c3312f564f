/* asset.c - the browser's files, read once, answered from memory. */
#include "web/asset.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/accept.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define MANIFEST_MAX 65536

struct asset {
	char *file, *type, *etag;
	struct buf plain, gzip;
};

struct assets {
	struct asset *all;
	size_t count;
	json_t *addresses;
};

/* A name of one file in the folder. */
static int is_plain(const char *name)
{
	return *name && *name != '.' && strchr(name, '/') == NULL;
}

static int read_into(const char *dir, const char *name, struct buf *out)
{
	char *path = mem_printf("%s/%s", dir, name);
	int rc = is_plain(name) ? file_read(path, ASSET_SIZE_MAX, out) : err_set(ERR_INVALID, "\"%s\" is no file name", name);

	free(path);
	return rc;
}

static void add_address(struct assets *a, const char *name, const char *file)
{
	char *member = mem_strdup(name), *path = mem_printf(ASSET_PREFIX "%s", file);

	for (char *s = member; *s; s++)
		if (*s == '.' || *s == '-')
			*s = '_';
	json_set_string(a->addresses, member, path);
	free(member);
	free(path);
}

static int load_entry(struct assets *a, const char *dir, const char *name, const json_t *entry)
{
	const char *file, *type, *sum, *gzip = NULL;
	struct asset *asset = &a->all[a->count];
	int rc;

	if ((rc = json_get_string(entry, "file", 200, &file)) < 0 || (rc = json_get_string(entry, "type", 100, &type)) < 0 ||
		(rc = json_get_string(entry, "sha256", 64, &sum)) < 0 || (rc = json_get_string_opt(entry, "gzip", 200, &gzip)) < 0)
		return err_wrap(rc, "%s", name);
	a->count++;
	asset->file = mem_strdup(file);
	asset->type = mem_strdup(type);
	asset->etag = mem_printf("\"%.32s\"", sum);
	add_address(a, name, file);
	rc = read_into(dir, file, &asset->plain);
	if (rc == 0 && gzip)
		rc = read_into(dir, gzip, &asset->gzip);
	return rc;
}

int assets_load(const char *dir, struct assets **out)
{
	struct assets *a = mem_alloc(sizeof *a);
	struct buf text = BUF_INIT;
	json_t *manifest = NULL, *entry;
	const char *name;
	int rc = read_into(dir, "manifest.json", &text);

	a->addresses = json_object();
	if (rc == 0)
		rc = json_parse_object(buf_str(&text), text.len, MANIFEST_MAX, &manifest);
	if (rc == 0)
		a->all = mem_array(json_object_size(manifest) + 1, sizeof *a->all);
	if (rc == 0)
		json_object_foreach(manifest, name, entry)
			if ((rc = load_entry(a, dir, name, entry)) < 0)
				break;
	json_decref(manifest);
	buf_free(&text);
	if (rc < 0) {
		assets_free(a);
		return err_wrap(rc, "assets in %s", dir);
	}
	*out = a;
	return 0;
}

void assets_free(struct assets *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->count; i++) {
		free(a->all[i].file);
		free(a->all[i].type);
		free(a->all[i].etag);
		buf_free(&a->all[i].plain);
		buf_free(&a->all[i].gzip);
	}
	free(a->all);
	json_decref(a->addresses);
	free(a);
}

json_t *assets_addresses(const struct assets *a)
{
	return a->addresses;
}

static const struct asset *find(const struct assets *a, const char *file)
{
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->all[i].file, file) == 0)
			return &a->all[i];
	return NULL;
}

/* RFC 9110, 12.5.3: gzip is named, and not with a weight of 0. */
static int takes_gzip(const char *accepted)
{
	struct accept_item i;

	while (accept_next(&accepted, &i))
		if (i.len == 4 && strncasecmp(i.name, "gzip", i.len) == 0)
			return i.weight > 0;
	return 0;
}

void assets_answer(const struct assets *a, const struct web_request *r, struct web_response *out, const struct buf **body)
{
	const struct asset *asset = find(a, r->path + strlen(ASSET_PREFIX));
	int packed;

	*body = NULL;
	if (asset == NULL) {
		out->status = 404;
		return;
	}
	if (r->method != WEB_GET && r->method != WEB_HEAD) {
		out->status = 405;
		web_response_header(out, "allow", "GET, HEAD");
		return;
	}
	packed = asset->gzip.len && takes_gzip(r->accept_encoding);
	web_response_header(out, "etag", asset->etag);
	web_response_header(out, "cache-control", "public, max-age=31536000, immutable");
	if (asset->gzip.len)
		web_response_header(out, "vary", "accept-encoding");
	if (r->if_none_match && strstr(r->if_none_match, asset->etag)) {
		out->status = 304;
		return;
	}
	out->status = 200;
	web_response_header(out, "content-type", asset->type);
	if (packed)
		web_response_header(out, "content-encoding", "gzip");
	*body = packed ? &asset->gzip : &asset->plain;
}
