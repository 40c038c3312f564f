/* trouble.c - looks at the parts of the server. */
#include "jobs/trouble.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "keys/client.h"
#include "store/backup.h"
#include "store/mail.h"
#include "store/trouble.h"

#define KEYD_MS 5000
#define MAIL_WAITS_MOST (10 * CLOCK_MINUTE)

static struct keys_client keys;

void trouble_start(const struct conf *conf)
{
	keys_client_init(&keys, conf_get(conf, CONF_KEYD_SOCKET), KEYD_MS);
}

void trouble_stop(void)
{
	keys_client_close(&keys);
}

/* What is the matter into OUT; empty: nothing. An error: it cannot be told. */

static int look_at_keys(struct db *db, clock_us now, struct buf *out)
{
	struct keys_status status;
	int rc = keys_status(&keys, &status);

	(void)db;
	(void)now;
	if (rc < 0)
		buf_puts(out, "the key service does not answer; agents get no keys, open volumes stay open");
	else if (status.sealed)
		buf_puts(out, "the key service is sealed; agents get no keys until its passphrase is given");
	return 0;
}

static int look_at_mail(struct db *db, clock_us now, struct buf *out)
{
	json_t *queue = NULL;
	clock_us oldest = 0;
	int rc = mail_queue(db, &queue);
	const char *at = json_string_value(json_object_get(queue, "oldest")), *why = json_string_value(json_object_get(queue, "last_error"));

	if (rc == 0 && at && clock_parse(at, &oldest) == 0 && now - oldest > MAIL_WAITS_MOST)
		buf_printf(out, "mails wait for more than ten minutes: %s", why ? why : "they were not tried");
	json_decref(queue);
	return rc;
}

static int look_at_backups(struct db *db, clock_us now, struct buf *out)
{
	struct backup_state s = { 0 };
	int rc = backup_state(db, &s);

	(void)now;
	if (rc == 0 && s.failed)
		buf_printf(out, "the newest backup has failed or is damaged%s%s", s.error ? ": " : "", s.error ? s.error : "");
	free(s.error);
	return rc;
}

/* PART: kind of the log's object, which has a page (notice/event.h). */
static const struct {
	const char *part, *label;
	int (*look)(struct db *db, clock_us now, struct buf *out);
} parts[] = {
	{ "key-service", "Key service", look_at_keys },
	{ "mail", "Mail", look_at_mail },
	{ "backups", "Backups", look_at_backups },
};

int trouble_look(struct db *db, clock_us now)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof parts / sizeof parts[0]; i++) {
		struct buf why = BUF_INIT;

		rc = parts[i].look(db, now, &why);
		if (rc == 0)
			rc = trouble_note(db, parts[i].part, parts[i].label, why.len ? buf_str(&why) : NULL);
		buf_free(&why);
	}
	return rc;
}
