/* report.c - makes a report: each criterion's rows pass once through the writers of all its formats; then files, state and mails are
 * committed together, so that nobody ever sees half of one or hears of it twice. */
#include "jobs/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "identity/permission.h"
#include "jobs/notice.h"
#include "jobs/scratch.h"
#include "render/words.h"
#include "report/section.h"
#include "store/audit_copy.h"
#include "store/brand.h"
#include "store/mail.h"
#include "store/report.h"
#include "store/report_storage.h"
#include "store/zone.h"

#define LEASE (20 * CLOCK_MINUTE)        /* for one criterion */

struct making {
	struct uuid id;
	enum store_side side;
	json_t *row;                     /* of report_take */
	const char *name;
	struct scratch scratch;
	const struct words *words;       /* its owner's language */
	struct brand brand;              /* the operator's name, colour and logo */
	struct buf png;
	struct report_picture logo;
	struct face {
		struct report_head head;
		char *made, *period, *clocks;
	} face, plain;                   /* for people; for programs */
	struct report_part parts[REPORT_FORMS_MAX];
	char *paths[REPORT_FORMS_MAX];
	size_t formats;
	struct report_period span;
	struct zone zone;
	int64_t rows, bytes;
};

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static void face_release(struct face *f)
{
	free(f->made);
	free(f->period);
	free(f->clocks);
}

static void release(struct making *m)
{
	for (size_t i = 0; i < m->formats; i++) {
		m->parts[i].format->discard(m->parts[i].writer);
		free(m->paths[i]);
	}
	scratch_remove(&m->scratch);
	zone_release(&m->zone);
	buf_free(&m->png);
	face_release(&m->face);
	face_release(&m->plain);
	json_decref(m->row);
}

/* The caller's. */
static char *local_text(const struct making *m, const struct words *w, clock_us at)
{
	char text[CLOCK_TEXT_SIZE], iso[32];

	clock_text(at + zone_east(&m->zone, at) * CLOCK_SECOND, text);
	snprintf(iso, sizeof iso, "%.10s %.5s", text, text + 11);
	return words_local(w, iso);
}

static const struct report_criterion *criterion_at(const struct making *m, size_t i)
{
	const char *name = json_string_value(json_array_get(json_object_get(m->row, "criteria"), i));

	return name ? report_criterion_find(m->side, name) : NULL;
}

/* NULL: the owner may have it; else why not. */
static const char *forbidden(const struct making *m)
{
	enum role role = ROLE_NONE;
	enum permission use = m->side == STORE_OPERATOR ? PERMISSION_SUMMARIES_USE : PERMISSION_REPORTS_USE;

	if (strcmp(text_of(m->row, "user_state"), "active") != 0)
		return "The user for whom it is made has no active account any more.";
	if (role_parse(text_of(m->row, "user_role"), m->side == STORE_OPERATOR, &role) < 0 || !role_may(role, use))
		return "The user for whom it is made may not have reports any more.";
	for (size_t i = 0; i < json_array_size(json_object_get(m->row, "criteria")); i++) {
		const struct report_criterion *k = criterion_at(m, i);

		if (k && k->needs && !role_may_named(role, k->needs))
			return report_criterion_is_keys(k) ? "It has key information, which the user for whom it is made may not have."
				: "It has a part that the user for whom it is made may not see any more.";
	}
	return NULL;
}

/* A logo that has just been replaced by another is none. */
static int take_brand(struct work *w, struct making *m)
{
	int rc = brand_get(w->db, &m->brand);

	if (rc == 0 && *m->brand.logo)
		rc = brand_logo(w->db, m->brand.logo, &m->png);
	m->logo = (struct report_picture){ m->png.data, m->png.len };
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int take(struct work *w, struct making *m)
{
	int rc = work_begin(w);

	if (rc == 0)
		rc = job_keep(w->db, &w->job->id, LEASE);
	if (rc == 0)
		rc = report_take(w->db, &m->id, &m->row);
	if (rc == 0 && (clock_parse(text_of(m->row, "since"), &m->span.since) < 0 || clock_parse(text_of(m->row, "until"), &m->span.until) < 0))
		rc = err_set(ERR_INTERNAL, "the report has no period");
	m->name = text_of(m->row, "name");
	if (rc == 0)
		rc = zone_load(w->db, text_of(m->row, "zone"), w->now, &m->zone);
	if (rc == 0)
		rc = take_brand(w, m);
	m->span.zone = &m->zone;
	m->words = notice_words(m->row);
	return db_end(w->db, rc);
}

static void put_east(const struct zone *z, clock_us at, struct buf *out)
{
	int east = zone_east(z, at) / 60;

	buf_puts(out, "UTC");
	if (east)
		buf_printf(out, "%c%02d:%02d", east < 0 ? '-' : '+', abs(east) / 60, abs(east) % 60);
}

/* "Europe/Berlin (UTC+02:00; 2026-10-25 02:00 UTC+01:00)": where clocks were set on or back in the period, times alone do not say which hour
 * is meant. */
static char *clocks_of(const struct making *m, const struct words *w)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, m->zone.name);
	if (m->zone.count) {
		buf_puts(&out, " (");
		put_east(&m->zone, m->span.since, &out);
	}
	for (clock_us at = zone_change(&m->zone, m->span.since, m->span.until); at; at = zone_change(&m->zone, at, m->span.until)) {
		char *when = local_text(m, w, at);

		buf_printf(&out, "; %s ", when);
		put_east(&m->zone, at, &out);
		free(when);
	}
	buf_puts(&out, m->zone.count ? ")" : "");
	return buf_take(&out);
}

static char *period_of(const struct making *m, const struct words *w)
{
	char *from = local_text(m, w, m->span.since), *to = local_text(m, w, m->span.until), *out;
	json_t *said = phrase_say("%{from} to %{to}", "from", json_string(from), "to", json_string(to), NULL);

	out = words_phrase_text(w, said);
	json_decref(said);
	free(from);
	free(to);
	return out;
}

static unsigned colour_of(const struct brand *b)
{
	return *b->colour == '#' ? (unsigned)strtoul(b->colour + 1, NULL, 16) : 0;
}

static void set_face(const struct making *m, const struct words *w, clock_us now, struct face *f)
{
	const char *tenant = text_of(m->row, "tenant_name");

	f->made = local_text(m, w, now);
	f->period = period_of(m, w);
	f->clocks = clocks_of(m, w);
	f->head = (struct report_head){ m->name, *tenant ? tenant : words_text(w, "All accounts"), f->period, f->clocks, text_of(m->row, "owner_name"),
		f->made, m->brand.name, json_array_size(json_object_get(m->row, "criteria")), w, m->png.len ? &m->logo : NULL, colour_of(&m->brand) };
}

static int begin_files(struct making *m)
{
	const json_t *formats = json_object_get(m->row, "formats"), *value;
	int rc = scratch_make(&m->scratch);
	size_t i;

	json_array_foreach(formats, i, value) {
		const struct report_format *f = report_format_find(json_string_value(value));

		if (rc < 0 || f == NULL || m->formats == REPORT_FORMS_MAX)
			return rc < 0 ? rc : err_set(ERR_INVALID, "there is no such format");
		m->paths[m->formats] = mem_printf("%s/report.%s", m->scratch.path, f->name);
		m->parts[m->formats++].format = f;
		rc = f->begin(f->plain ? &m->plain.head : &m->face.head, m->paths[m->formats - 1], &m->parts[m->formats - 1].writer);
	}
	return rc;
}

/* One criterion, in a transaction of its own. */
static int add_section(struct work *w, struct making *m, size_t i)
{
	const struct report_criterion *k = criterion_at(m, i);
	struct report_source source = { w->db, m->side, k, &m->span, 0, m->words };
	int rc;

	if (k == NULL)
		return err_set(ERR_INVALID, "this version does not know one of its parts");
	rc = work_begin(w);
	if (rc == 0)
		rc = job_keep(w->db, &w->job->id, LEASE);
	if (rc == 0)
		rc = report_progress(w->db, &m->id, (int64_t)i, (int64_t)m->face.head.sections);
	if (rc == 0)
		rc = db_commit(w->db);
	if (rc == 0)
		rc = work_begin(w);
	if (rc == 0)
		rc = report_section_write(&source, m->parts, m->formats, &m->rows);
	db_rollback(w->db);
	return rc;
}

static int finish_files(struct making *m)
{
	int rc = 0;

	for (size_t i = 0; i < m->formats; i++) {
		int one = m->parts[i].format->finish(m->parts[i].writer);

		m->parts[i].writer = NULL;
		rc = rc < 0 ? rc : one;
	}
	return rc;
}

static int keep_file(struct work *w, struct making *m, size_t i)
{
	static _Thread_local char piece[REPORT_PIECE];
	int file = open(m->paths[i], O_RDONLY | O_CLOEXEC), rc = file < 0 ? err_set(ERR_IO, "a file of the report is gone") : 0;
	int64_t bytes = 0;
	ssize_t len = 1;

	for (int64_t n = 0; rc == 0 && len > 0; n++) {
		len = read(file, piece, sizeof piece);
		bytes += len > 0 ? len : 0;
		if (len < 0)
			rc = err_set(ERR_IO, "a file of the report cannot be read: %s", strerror(errno));
		else if (bytes > REPORT_BYTES_MAX)
			rc = err_set(ERR_INVALID, "Its %s has more than %d MiB: choose a shorter period, or fewer criteria.",
				report_form_find(m->parts[i].format->name)->label, (int)(REPORT_BYTES_MAX >> 20));
		else if (len > 0)
			rc = report_add_piece(w->db, &m->id, m->parts[i].format->name, n, piece, (size_t)len);
	}
	if (file >= 0)
		close(file);
	m->bytes += bytes;
	return rc;
}

static int keep(struct work *w, struct making *m)
{
	int rc = work_begin(w);

	for (size_t i = 0; rc == 0 && i < m->formats; i++)
		rc = keep_file(w, m, i);
	if (rc == 0)
		rc = report_storage_take(w->db, m->bytes);
	if (rc == 0)
		rc = report_done(w->db, &m->id, m->name, m->rows, m->bytes);
	if (rc == 0 && json_is_true(json_object_get(m->row, "mail")))
		rc = notice_report(w->db, m->row, m->face.period);
	return db_end(w->db, rc);
}

/* Before it costs anything; once it is made there may be none for all of it. */
static int check_room(struct work *w)
{
	int rc = work_begin(w);

	return db_end(w->db, rc < 0 ? rc : report_storage_check(w->db));
}

static int make(struct work *w, struct making *m)
{
	int rc = check_room(w);

	set_face(m, m->words, w->now, &m->face);
	set_face(m, notice_words_usual(m->row), w->now, &m->plain);
	/* The period is over, but its last entries may be on their way. */
	if (rc == 0)
		rc = audit_copy_all(w->db, w->job->has_tenant ? &w->job->tenant : NULL);
	if (rc == 0)
		rc = begin_files(m);
	for (size_t i = 0; rc == 0 && i < m->face.head.sections; i++)
		rc = add_section(w, m, i);
	if (rc == 0)
		rc = finish_files(m);
	return rc < 0 ? rc : keep(w, m);
}

static int give_up(struct work *w, struct making *m, const char *why, int stop)
{
	char *kept = mem_strdup(why);
	int rc = work_begin(w);

	if (rc == 0)
		rc = report_failed(w->db, &m->id, m->name, kept, stop);
	rc = db_end(w->db, rc);
	free(kept);
	return rc;
}

int report_job(struct work *w)
{
	struct making m = { .side = w->job->has_tenant ? STORE_TENANT : STORE_OPERATOR, .scratch = { .lock = -1 } };
	int rc = json_get_uuid(w->job->payload, "report", &m.id);
	const char *why = NULL;

	if (rc == 0)
		rc = take(w, &m);
	if (rc == 0)
		why = forbidden(&m);
	if (why)
		rc = give_up(w, &m, why, 1);
	else if (rc == 0)
		rc = make(w, &m);
	/* What would fail again, and the last attempt. */
	if (m.row && why == NULL && rc < 0 && (rc == ERR_INVALID || w->job->attempts >= REPORT_ATTEMPTS))
		rc = give_up(w, &m, err_text(), 0);
	release(&m);
	/* Deleted meanwhile, or made by another jobd. */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
