/* brand.c - what a worker knows of the operator's name, colour and logo, and the two files that come of it: the style and the picture. */
#include "web/brand.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "web/state.h"

#define SEEN_FOR (2 * CLOCK_SECOND)
#define NAME_DIGITS 12                   /* of the hash, in the style's name */
#define STYLE "layout/brand"

/* Of the worker; read and written by all of its threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct brand_look look;
	clock_us at;                     /* looked at then, by clock_ticks(); 0: not yet */
	char logo[BRAND_LOGO_SIZE];      /* hash of the bytes below */
	struct buf png;
} known;

/* The style */

static int style_of(const struct web *web, const char *colour, struct buf *out)
{
	json_t *doc = json_pack("{s:s}", "colour", colour);
	int rc = template_render(language_set(languages_find(web->languages, NULL), DATES_USUAL), STYLE, doc, out);

	json_decref(doc);
	return rc;
}

/* "/brand/3f57d6.0123456789ab.css": the colour says what is in it, the hash that it has not changed since, whatever release made it. */
static void style_path(const char *colour, const struct buf *style, char out[static BRAND_PATH_SIZE])
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char *digits;

	crypto_hash_sha256(hash, (const unsigned char *)buf_str(style), style->len);
	digits = encode_hex(hash, sizeof hash);
	snprintf(out, BRAND_PATH_SIZE, BRAND_PREFIX "%s.%.*s.css", colour + 1, NAME_DIGITS, digits);
	free(digits);
}

static int style_address(const struct web *web, const char *colour, char out[static BRAND_PATH_SIZE])
{
	struct buf style = BUF_INIT;
	int rc = style_of(web, colour, &style);

	if (rc == 0)
		style_path(colour, &style, out);
	buf_free(&style);
	return rc;
}

/* What is known */

/* AT: before the database was asked. A thread that was slower than others does not put back what they have found since. */
static void keep(const struct brand_look *look, clock_us at)
{
	pthread_mutex_lock(&lock);
	if (at >= known.at) {
		known.look = *look;
		known.at = at;
	}
	pthread_mutex_unlock(&lock);
}

static int is_old(void)
{
	int old;

	pthread_mutex_lock(&lock);
	old = known.at == 0 || clock_ticks() - known.at >= SEEN_FOR;
	pthread_mutex_unlock(&lock);
	return old;
}

void brand_look(struct brand_look *out)
{
	pthread_mutex_lock(&lock);
	*out = known.look;
	pthread_mutex_unlock(&lock);
	if (*out->is.name == '\0')
		snprintf(out->is.name, sizeof out->is.name, "%s", BRAND_USUAL);
}

int brand_see(struct call *c)
{
	struct brand_look look = { .css = "" };
	clock_us now = clock_ticks();
	int rc = brand_get(c->db, &look.is);

	if (rc == 0 && *look.is.colour)
		rc = style_address(c->state->web, look.is.colour, look.css);
	if (rc == 0 && *look.is.logo)
		snprintf(look.logo, sizeof look.logo, BRAND_PREFIX "%s.png", look.is.logo);
	if (rc == 0)
		keep(&look, now);
	return rc;
}

void brand_renew(struct call *c)
{
	struct brand_look look;
	int rc;

	if (!is_old())
		return;
	rc = call_begin(c, NULL);
	if (rc == 0)
		rc = brand_see(c);
	db_rollback(c->db);
	if (rc == 0)
		return;
	log_warning("name, colour and logo cannot be read", "why", err_text(), NULL);
	/* Not each page waits for a database that is away. */
	brand_look(&look);
	keep(&look, clock_ticks());
}

/* The files */

#define DIGITS "0123456789abcdef"

static int find_style(const struct web *web, const char *path, struct buf *out)
{
	char colour[BRAND_COLOUR_SIZE], own[BRAND_PATH_SIZE];
	size_t prefix = strlen(BRAND_PREFIX);
	int rc;

	if (strspn(path + prefix, DIGITS) != sizeof colour - 2 || path[prefix + sizeof colour - 2] != '.')
		return err_set(ERR_NOT_FOUND, "no style");
	snprintf(colour, sizeof colour, "#%.6s", path + prefix);
	rc = style_of(web, colour, out);
	if (rc < 0)
		return rc;
	style_path(colour, out, own);
	/* Else one that another release has made. */
	return strcmp(own, path) == 0 ? 0 : err_set(ERR_NOT_FOUND, "no style");
}

/* Only one that is shown: what was put back is given to nobody any more. */
static int logo_in_memory(const char *logo, struct buf *out)
{
	int found;

	pthread_mutex_lock(&lock);
	found = known.png.len && strcmp(known.logo, logo) == 0 && strcmp(known.look.is.logo, logo) == 0;
	if (found)
		buf_add(out, known.png.data, known.png.len);
	pthread_mutex_unlock(&lock);
	return found;
}

static void keep_logo(const char *logo, const struct buf *png)
{
	pthread_mutex_lock(&lock);
	buf_reset(&known.png);
	buf_add(&known.png, png->data, png->len);
	snprintf(known.logo, sizeof known.logo, "%s", logo);
	pthread_mutex_unlock(&lock);
}

/* A name that somebody made up costs no more than the look at which one there is. */
static int read_logo(struct db *db, const char *logo, struct buf *out)
{
	struct brand b;
	int rc = brand_get(db, &b);

	if (rc == 0 && strcmp(b.logo, logo) != 0)
		rc = err_set(ERR_NOT_FOUND, "no logo");
	return rc < 0 ? rc : brand_logo(db, logo, out);
}

static int find_logo(struct web_thread *t, const struct web_request *r, struct buf *out)
{
	const char *name = r->path + strlen(BRAND_PREFIX);
	struct db *db = web_thread_db(t, r->site);
	char logo[BRAND_LOGO_SIZE];
	int rc;

	if (strspn(name, DIGITS) != sizeof logo - 1 || strcmp(name + sizeof logo - 1, ".png") != 0)
		return err_set(ERR_NOT_FOUND, "no logo");
	snprintf(logo, sizeof logo, "%.*s", BRAND_LOGO_SIZE - 1, name);
	if (!is_old() && logo_in_memory(logo, out))
		return 0;
	rc = db_begin(db, NULL, &(struct db_actor){ .kind = DB_ACTOR_ANONYMOUS, .address = r->address });
	if (rc == 0)
		rc = read_logo(db, logo, out);
	db_rollback(db);
	if (rc == 0)
		keep_logo(logo, out);
	/* Pages that say that the database is away still show it. */
	else if (rc != ERR_NOT_FOUND && logo_in_memory(logo, out))
		rc = 0;
	return rc;
}

static void say(struct web_response *out, const struct web_request *r, const char *type)
{
	char *etag = mem_printf("\"%s\"", r->path + strlen(BRAND_PREFIX));

	web_response_header(out, "etag", etag);
	web_response_header(out, "cache-control", "public, max-age=31536000, immutable");
	out->status = r->if_none_match && strstr(r->if_none_match, etag) ? 304 : 200;
	if (out->status == 304)
		buf_reset(&out->body);
	else
		web_response_header(out, "content-type", type);
	free(etag);
}

int brand_answer(struct web_thread *t, const struct web_request *r, struct web_response *out)
{
	size_t len = strlen(r->path);
	int picture = len > 4 && strcmp(r->path + len - 4, ".png") == 0, rc;

	if (strncmp(r->path, BRAND_PREFIX, strlen(BRAND_PREFIX)) != 0)
		return 0;
	if (r->method != WEB_GET && r->method != WEB_HEAD) {
		out->status = 405;
		web_response_header(out, "allow", "GET, HEAD");
		return 1;
	}
	rc = picture ? find_logo(t, r, &out->body) : find_style(t->web, r->path, &out->body);
	if (rc < 0) {
		buf_reset(&out->body);
		out->status = rc == ERR_NOT_FOUND ? 404 : 503;
		return 1;
	}
	say(out, r, picture ? "image/png" : "text/css; charset=utf-8");
	return 1;
}
