/* audit.c - `keyward audit ...`: the proof that a log is whole, here or far from here; what that takes elsewhere. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "audit/export.h"
#include "audit/proof.h"
#include "base/err.h"
#include "base/file.h"
#include "store/audit.h"
#include "store/audit_keep.h"
#include "store/signing.h"

#define PEM_MAX 4096

static int begin(struct admin *a, int argc, char **argv, struct db **db)
{
	struct uuid tenant;
	int rc = argc ? admin_find_tenant(a, argv[0], &tenant) : 0;

	if (rc == 0)
		rc = admin_begin(a, argc ? CONF_DATABASE_CONSOLE : CONF_DATABASE_CENTRAL, argc ? &tenant : NULL, db);
	/* A long chain takes longer than a page may. */
	if (rc == 0)
		db_limits(*db, 0, 0);
	return rc;
}

static void print_found(const char *name, const struct audit_proof *p)
{
	const struct audit_checkpoint *last = p->point_count ? &p->points[p->point_count - 1] : NULL;
	char at[CLOCK_TEXT_SIZE];

	printf("%s: %" PRId64 " entries, none altered, none missing\n", name, p->entries);
	if (p->archive_count)
		printf("entries 1 to %" PRId64 " were archived by month, as %zu signed records say; the files of %zu are still there\n",
			p->archives[p->archive_count - 1].last, p->archive_count, p->archive_count - p->removed);
	if (last) {
		clock_text(last->at, at);
		printf("%zu signed checkpoints, the last of entry %" PRId64 " at %s\n", p->point_count, last->seq, at);
	} else {
		printf("no signed checkpoint yet: whether the end was cut off cannot be said\n");
	}
}

static int tell(const char *name, const struct audit_proof *p, int rc)
{
	if (rc < 0)
		return err_wrap(rc, "after %" PRId64 " good entries", p->entries);
	print_found(name, p);
	return 0;
}

int admin_audit_verify(struct admin *a, int argc, char **argv)
{
	uint8_t key[SIGNING_PUBLIC_SIZE];
	struct audit_proof p = { .key = NULL };
	struct db *db;
	int rc = begin(a, argc, argv, &db), known;

	if (rc < 0)
		return rc;
	known = signing_public(db, SIGNING_LOG, key);
	rc = known < 0 && known != ERR_NOT_FOUND ? known : audit_prove(db, known == 0 ? key : NULL, &p);
	rc = tell(argc ? argv[0] : "installation", &p, admin_end(db, rc));
	audit_proof_release(&p);
	return rc;
}

static int write_lines(void *ctx, const struct buf *lines)
{
	return fwrite(lines->data, 1, lines->len, ctx) == lines->len ? 0 : err_set(ERR_IO, "the output cannot be written");
}

int admin_audit_export(struct admin *a, int argc, char **argv)
{
	struct db *db;
	int rc = begin(a, argc, argv, &db);

	if (rc < 0)
		return rc;
	rc = admin_end(db, audit_export(db, write_lines, stdout));
	return rc == 0 && fflush(stdout) != 0 ? err_set(ERR_IO, "the output cannot be written") : rc;
}

int admin_audit_key(struct admin *a, int argc, char **argv)
{
	uint8_t key[SIGNING_PUBLIC_SIZE];
	struct buf pem = BUF_INIT;
	struct db *db;
	int rc = begin(a, 0, NULL, &db);

	(void)argc;
	(void)argv;
	if (rc < 0)
		return rc;
	rc = admin_end(db, signing_public(db, SIGNING_LOG, key));
	if (rc == ERR_NOT_FOUND)
		return err_set(rc, "no log was signed yet: the job service does that");
	if (rc == 0) {
		signing_pem(key, &pem);
		printf("%s", buf_str(&pem));
	}
	buf_free(&pem);
	return rc;
}

/* Far from the installation */

static int read_head(const struct audit_line *line, struct audit_proof *p, struct audit_line *head)
{
	if (line->kind != AUDIT_LINE_HEAD)
		return err_set(ERR_INVALID, "not an exported log");
	*head = *line;
	head->json = NULL;
	p->scope = line->head.scope;
	return 0;
}

/* Records and checkpoints come before entries: with the first of those the proof begins. */
static int take_line(const struct audit_line *line, struct audit_proof *p, int *begun)
{
	int rc = 0;

	if (line->kind == AUDIT_LINE_HEAD || (*begun && line->kind != AUDIT_LINE_ENTRY))
		return err_set(ERR_INVALID, "a line that is not in its place");
	if (line->kind == AUDIT_LINE_ARCHIVE)
		audit_proof_add_archive(p, &line->archive);
	else if (line->kind == AUDIT_LINE_CHECKPOINT)
		audit_proof_add_checkpoint(p, &line->checkpoint);
	else if (!*begun)
		rc = audit_proof_begin(p);
	*begun = line->kind == AUDIT_LINE_ENTRY;
	return rc < 0 || line->kind != AUDIT_LINE_ENTRY ? rc : audit_proof_entry(p, &line->entry);
}

static int prove_file(FILE *file, struct audit_proof *p)
{
	struct audit_line line, head = { .kind = AUDIT_LINE_ENTRY };
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	int rc = 0, begun = 0;
	int64_t number = 0;

	while (rc == 0 && (len = getline(&text, &size, file)) > 0) {
		rc = audit_line_read(text, (size_t)len, &line);
		number++;
		if (rc < 0) {
			rc = err_wrap(rc, "line %" PRId64, number);
			break;
		}
		rc = number == 1 ? read_head(&line, p, &head) : take_line(&line, p, &begun);
		audit_line_release(&line);
	}
	free(text);
	if (rc == 0 && head.kind != AUDIT_LINE_HEAD)
		rc = err_set(ERR_INVALID, "not an exported log");
	if (rc == 0 && !begun)
		rc = audit_proof_begin(p);
	return rc < 0 ? rc : audit_proof_end(p, head.head.seq, head.head.hash);
}

int admin_audit_verify_file(struct admin *a, int argc, char **argv)
{
	uint8_t key[SIGNING_PUBLIC_SIZE];
	struct audit_proof p = { .key = key };
	struct buf pem = BUF_INIT;
	FILE *file = NULL;
	int rc = file_read(argv[1], PEM_MAX, &pem);

	(void)a;
	(void)argc;
	if (rc == 0)
		rc = signing_pem_read(buf_str(&pem), key);
	buf_free(&pem);
	if (rc < 0)
		return rc;
	file = fopen(argv[0], "re");
	if (file == NULL)
		return err_set(ERR_NOT_FOUND, "%s cannot be read", argv[0]);
	rc = tell(argv[0], &p, prove_file(file, &p));
	fclose(file);
	audit_proof_release(&p);
	return rc;
}
