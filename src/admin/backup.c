/* backup.c - `keyward backup`, `backup verify`, `restore` (KEY-8): database and key files, each encrypted to a certificate whose private key is
 * kept elsewhere.
 *
 * A backup is a folder keyward-TIME: database.NNNN.cms (pg_dump's custom format, in pieces), log.NNNN.cms likewise where the log has a database of its own,
 * keys.0000.cms (a tar of the key files), each CMS
 * (RFC 5652, 5083: AES-256-GCM), SHA256SUMS. In pieces, because openssl decrypts a whole file in memory. Made under another name and renamed when
 * it is whole. PostgreSQL's, OpenSSL's and the system's own programs do the work, so that they can undo it without us. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/backup.h"
#include "store/migrate.h"

#define PREFIX "keyward-"
#define TRIES 3                  /* when key files change while it is made */
#define ARGS_MAX 16

/* One program with its arguments; the last is NULL. */
struct program {
	const char *argv[ARGS_MAX];
};

/* Standard input and output are IN and OUT (-1: nothing); it works in FOLDER (NULL: here). */
static pid_t start(const struct program *p, int in, int out, const char *folder)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (in < 0)
		in = open("/dev/null", O_RDONLY);
	if (out < 0)
		out = open("/dev/null", O_WRONLY);
	dup2(in, 0);
	dup2(out, 1);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	if (folder == NULL || chdir(folder) == 0) {
		char *argv[ARGS_MAX];

		for (int i = 0; i < ARGS_MAX; i++)
			argv[i] = mem_strdup(p->argv[i]);
		execvp(argv[0], argv);
	}
	fprintf(stderr, "%s: %s\n", p->argv[0], strerror(errno));
	_exit(127);
}

static int end(pid_t pid, const struct program *p)
{
	int status = -1;

	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(ERR_IO, "%s has failed: what it said stands above", p->argv[0]);
	return 0;
}

/* FROM | TO, each in its folder (NULL: here); both must be well. */
static int run_both(const struct program *from, const char *from_in, const struct program *to, const char *to_in)
{
	int ends[2], rc, rc_to;
	pid_t pids[2];

	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(ERR_IO, "pipe: %s", strerror(errno));
	pids[0] = start(from, -1, ends[1], from_in);
	pids[1] = start(to, ends[0], -1, to_in);
	close(ends[0]);
	close(ends[1]);
	rc_to = end(pids[1], to);
	rc = end(pids[0], from);
	return rc < 0 ? rc : rc_to;
}

static int run_in(const struct program *p, const char *folder, const char *output)
{
	int out = -1, rc;

	fflush(stdout);
	if (output) {
		char *path = mem_printf("%s/%s", folder, output);

		out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		free(path);
		if (out < 0)
			return err_set(ERR_IO, "%s/%s: %s", folder, output, strerror(errno));
	}
	rc = end(start(p, -1, out, folder), p);
	if (out >= 0)
		close(out);
	return rc;
}

/* The database as somebody who sees all of it: row security holds for its owner, too. */
static char *all_of(const char *superuser, const char *owner)
{
	char *name = NULL, *out;

	if (*superuser == '\0' || admin_database_of(owner, &name) < 0)
		return mem_strdup(owner);
	out = mem_printf("%s dbname=%s", superuser, name);
	free(name);
	return out;
}

static char *whole_database(const struct admin *a)
{
	return all_of(conf_get(&a->conf, CONF_DATABASE_SUPERUSER), conf_get(&a->conf, CONF_DATABASE_OWNER));
}

static char *whole_log(const struct admin *a)
{
	char *superuser = *conf_get(&a->conf, CONF_DATABASE_SUPERUSER) ? admin_log_of(a, CONF_DATABASE_SUPERUSER) : mem_strdup("");
	char *owner = admin_log_of(a, CONF_DATABASE_OWNER), *out = all_of(superuser, owner);

	free(superuser);
	free(owner);
	return out;
}

/* What FROM writes, in pieces NAME.NNNN.cms of FOLDER. */
static int encrypt_to(const char *certificate, long piece, const char *folder, const char *name, const struct program *from)
{
	char *size = mem_printf("%ldM", piece), *prefix = mem_printf("%s.", name), *whole = realpath(certificate, NULL);
	struct program cms = { { "split", "-b", size, "-d", "-a", "4", "--additional-suffix=.cms", "--filter",
		"exec openssl cms -encrypt -binary -stream -aes-256-gcm -outform DER -out \"$FILE\" \"$KEYWARD_CERTIFICATE\"", "-", prefix } };
	int rc = whole == NULL ? err_set(ERR_IO, "%s: %s", certificate, strerror(errno)) : 0;

	/* Not as a part of the filter, which a shell reads. */
	if (rc == 0)
		setenv("KEYWARD_CERTIFICATE", whole, 1);
	if (rc == 0)
		rc = run_both(from, NULL, &cms, folder);
	free(whole);
	free(size);
	free(prefix);
	return rc;
}

/* FOLDER/NAME, decrypted and its pieces joined, goes to TO. Backups from before there were pieces have NAME.cms. */
static int decrypt_into(const char *key, const char *folder, const char *name, const struct program *to)
{
	char *whole = realpath(key, NULL);
	struct program cms = { { "sh", "-c", "set -eu; export LC_ALL=C; for f in \"$1\".*cms; do openssl cms -decrypt -binary -inform DER -in \"$f\" -inkey \"$2\"; done",
		"decrypt", name, whole } };
	int rc = whole == NULL ? err_set(ERR_IO, "%s: %s", key, strerror(errno)) : run_both(&cms, folder, to, NULL);

	free(whole);
	return rc < 0 ? err_set(rc, "%s of the backup cannot be used: damaged, or not made for this key", name) : 0;
}

static uint64_t stamp_of_keys(const struct admin *a)
{
	char *roots = admin_keys_path(a, "roots"), *identity = admin_keys_path(a, "identity");
	uint64_t stamp = file_stamp(roots) * 31 + file_stamp(identity);

	free(roots);
	free(identity);
	return stamp;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int encrypt_log(const struct admin *a, long piece, const char *folder)
{
	char *log = whole_log(a);
	struct program dump = { { "pg_dump", "-Fc", "--no-password", "-d", log } };
	int rc = encrypt_to(conf_get(&a->conf, CONF_BACKUP_CERTIFICATE), piece, folder, "log", &dump);

	free(log);
	return rc;
}

/* Whether the backup has a log database. */
static int has_log(const char *folder)
{
	char *first = mem_printf("%s/log.0000.cms", folder);
	int has = access(first, F_OK) == 0;

	free(first);
	return has;
}

static int fill(const struct admin *a, const char *folder)
{
	const char *certificate = conf_get(&a->conf, CONF_BACKUP_CERTIFICATE);
	char *database = whole_database(a), *keys = admin_keys_path(a, "");
	struct program dump = { { "pg_dump", "-Fc", "--no-password", "-d", database } }, tar = { { "tar", "-C", keys, "-cf", "-", "." } };
	struct program sums = { { "sh", "-c", "exec sha256sum *.cms" } }, sync = { { "sync", "-f", folder } };
	long piece = 0;
	int rc = conf_int(&a->conf, CONF_BACKUP_PIECE, 1, 1024, &piece);

	/* The log database first: what came later is in the main one, too, and is copied again. */
	if (rc == 0 && admin_has_log(a))
		rc = encrypt_log(a, piece, folder);
	if (rc == 0)
		rc = encrypt_to(certificate, piece, folder, "database", &dump);
	if (rc == 0)
		rc = encrypt_to(certificate, piece, folder, "keys", &tar);
	if (rc == 0)
		rc = run_in(&sums, folder, "SHA256SUMS");
	if (rc == 0)
		rc = run_in(&sync, folder, NULL);
	free(database);
	free(keys);
	return rc;
}

/* Database and key files belong together: where a root key was made or retired meanwhile, once more. */
static int make(const struct admin *a, const char *folder)
{
	int rc = ERR_BUSY;

	for (int i = 0; rc == ERR_BUSY && i < TRIES; i++) {
		uint64_t before = stamp_of_keys(a);

		nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		if (mkdir(folder, 0700) < 0)
			return err_set(ERR_IO, "%s: %s", folder, strerror(errno));
		rc = fill(a, folder);
		if (rc == 0 && stamp_of_keys(a) != before)
			rc = err_set(ERR_BUSY, "the key files change all the time");
	}
	return rc;
}

/* Of all its files. */
static int64_t size_of(const char *folder)
{
	DIR *d = opendir(folder);
	const struct dirent *e;
	int64_t size = 0;

	while (d && (e = readdir(d)) != NULL) {
		char *path = mem_printf("%s/%s", folder, e->d_name);
		struct stat st;

		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			size += st.st_size;
		free(path);
	}
	if (d)
		closedir(d);
	return size;
}

static void note_removed(struct admin *a, const char *place)
{
	struct db *db;

	if (admin_begin(a, CONF_DATABASE_JOBS, NULL, &db) == 0)
		admin_end(db, backup_removed(db, place));
}

/* Whole backups begun before LIMIT, but for the newest: names sort by time. */
static void clean(struct admin *a, const char *folder, const char *newest, const char *limit)
{
	DIR *d = opendir(folder);
	const struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		char *path = mem_printf("%s/%s", folder, e->d_name);

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 && strlen(e->d_name) == strlen(newest) && strcmp(e->d_name, limit) < 0
			&& strcmp(e->d_name, newest) < 0 && nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0) {
			printf("removed %s\n", path);
			note_removed(a, path);
		}
		free(path);
	}
	if (d)
		closedir(d);
}

static char *name_at(clock_us at)
{
	time_t seconds = (time_t)(at / CLOCK_SECOND);
	struct tm tm;
	char text[64];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof text, PREFIX "%Y%m%dT%H%M%SZ", &tm);
	return mem_strdup(text);
}

/* That of the first second from AT on that no backup in FOLDER has: two may be made within one. */
static char *free_name(const char *folder, clock_us at)
{
	char *name = name_at(at), *path = mem_printf("%s/%s", folder, name);

	while (access(path, F_OK) == 0) {
		free(name);
		free(path);
		name = name_at(at += CLOCK_SECOND);
		path = mem_printf("%s/%s", folder, name);
	}
	free(path);
	return name;
}

static int note_begin(struct admin *a, const struct uuid *id, const char *place)
{
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_JOBS, NULL, &db);

	return rc < 0 ? rc : admin_end(db, backup_started(db, id, place));
}

static int note_end(struct admin *a, const struct uuid *id, int64_t bytes, int failed)
{
	char *why = failed < 0 ? mem_strdup(err_text()) : NULL;
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_JOBS, NULL, &db);

	if (rc == 0)
		rc = admin_end(db, backup_ended(db, id, bytes, why));
	if (why)
		err_set(failed, "%s", why);
	free(why);
	return rc;
}

/* KEY NULL: only whether it is as it was written. */
static int verify(const char *folder, const char *key)
{
	struct program sums = { { "sha256sum", "--quiet", "-c", "SHA256SUMS" } }, tar = { { "tar", "-tf", "-" } };
	struct program list = { { "pg_restore", "-f", "/dev/null" } };       /* reads all of it */
	int rc = run_in(&sums, folder, NULL);

	if (rc < 0)
		return err_set(ERR_TAMPERED, "%s is not a whole backup, or is damaged", folder);
	if (key)
		rc = decrypt_into(key, folder, "keys", &tar);
	if (key && rc == 0)
		rc = decrypt_into(key, folder, "database", &list);
	if (key && rc == 0 && has_log(folder))
		rc = decrypt_into(key, folder, "log", &list);
	return rc;
}

/* In the list of backups, where it is one of this installation's. */
static void note_verified(struct admin *a, const char *folder, int decrypted, int failed)
{
	char *why = failed < 0 ? mem_strdup(err_text()) : NULL, *place = realpath(folder, NULL);
	struct db *db;

	if (admin_begin(a, CONF_DATABASE_JOBS, NULL, &db) == 0)
		admin_end(db, backup_verified(db, place ? place : folder, decrypted, why));
	if (why)
		err_set(failed, "%s", why);
	free(why);
	free(place);
}

int admin_backup(struct admin *a, int argc, char **argv)
{
	char *parent = realpath(conf_get(&a->conf, CONF_BACKUP_FOLDER), NULL);
	const struct uuid id = uuid_new();
	clock_us now = clock_now();
	long days = 0;
	char *name, *limit, *part, *whole;
	int rc = conf_int(&a->conf, CONF_BACKUP_KEEP, 1, 36500, &days), noted;

	(void)argc;
	(void)argv;
	if (rc == 0 && (*conf_get(&a->conf, CONF_BACKUP_FOLDER) == '\0' || *conf_get(&a->conf, CONF_BACKUP_CERTIFICATE) == '\0'))
		rc = err_set(ERR_INVALID, "set backup.folder and backup.certificate first (docs/operations.md)");
	else if (rc == 0 && parent == NULL)
		rc = err_set(ERR_IO, "backup.folder %s: %s", conf_get(&a->conf, CONF_BACKUP_FOLDER), strerror(errno));
	if (rc < 0) {
		free(parent);
		return rc;
	}
	name = free_name(parent, now);
	limit = name_at(now - days * CLOCK_DAY);
	part = mem_printf("%s/.%s", parent, name);
	whole = mem_printf("%s/%s", parent, name);
	/* A database that is away has no list either, and the backup's own message says more. */
	noted = note_begin(a, &id, whole);
	rc = make(a, part);
	if (rc == 0 && rename(part, whole) < 0)
		rc = err_set(ERR_IO, "%s: %s", whole, strerror(errno));
	if (rc == 0)
		rc = verify(whole, NULL);
	if (noted == 0)
		note_end(a, &id, rc == 0 ? size_of(whole) : 0, rc);
	if (rc == 0) {
		printf("%s\n", whole);
		note_verified(a, whole, 0, 0);
		clean(a, parent, name, limit);
	} else {
		nftw(part, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
	free(parent);
	free(name);
	free(limit);
	free(part);
	free(whole);
	return rc;
}

int admin_backup_verify(struct admin *a, int argc, char **argv)
{
	int rc = verify(argv[0], argc > 1 ? argv[1] : NULL);

	note_verified(a, argv[0], argc > 1, rc);
	if (rc == 0)
		puts(argc > 1 ? "whole, and it can be decrypted" : "whole; whether it can be decrypted is told with its private key");
	return rc;
}

/* The databases are there, and nothing is in them: what is there may be the only one of its kind, and is never written over. */
static int check_database(const char *conninfo)
{
	char *contents;
	int rc = migrate_contents(conninfo, &contents);

	if (rc == 0 && contents)
		rc = err_set(ERR_CONFLICT, "%s. Nothing was changed: a backup is restored into an empty database. Stop all of Keyward and keep this one under another name"
			" (alter database ... rename to ...), or drop it, and restore again (docs/operations.md, \"Restoring\")", contents);
	free(contents);
	return rc;
}

static int prepare_database(const struct admin *a)
{
	char *database = whole_database(a), *name = NULL;
	int rc = admin_database_of(conf_get(&a->conf, CONF_DATABASE_OWNER), &name);

	if (rc == 0 && *conf_get(&a->conf, CONF_DATABASE_SUPERUSER))
		rc = migrate_prepare(conf_get(&a->conf, CONF_DATABASE_SUPERUSER), name);
	if (rc == 0)
		rc = check_database(database);
	free(database);
	free(name);
	return rc;
}

static int prepare_log(const struct admin *a)
{
	char *log = whole_log(a);
	int rc = admin_log_prepare(a);

	if (rc == 0)
		rc = check_database(log);
	free(log);
	return rc;
}

/* The databases first: key files that are there stop a second try. */
static int restore(struct admin *a, const char *folder, const char *key, const char *keys)
{
	char *database = whole_database(a), *log = has_log(folder) ? whole_log(a) : NULL;
	struct program db = { { "pg_restore", "--exit-on-error", "--single-transaction", "--no-password", "-d", database } };
	struct program log_db = { { "pg_restore", "--exit-on-error", "--single-transaction", "--no-password", "-d", log } };
	struct program tar = { { "tar", "-C", keys, "-xpf", "-" } };
	int rc = decrypt_into(key, folder, "database", &db);

	if (rc == 0 && log)
		rc = decrypt_into(key, folder, "log", &log_db);
	if (rc == 0 && mkdir(keys, 0700) < 0 && errno != EEXIST)
		rc = err_set(ERR_IO, "%s: %s", keys, strerror(errno));
	if (rc == 0)
		rc = decrypt_into(key, folder, "keys", &tar);
	free(database);
	free(log);
	return rc;
}

/* Any key that is there would be replaced by one of the backup's, and may be the only one of its kind. */
static int check_empty(const char *keys)
{
	DIR *d = opendir(keys);
	const struct dirent *e;
	int rc = 0;

	while (rc == 0 && d && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, "lost+found") != 0)
			rc = err_set(ERR_CONFLICT, "%s has %s: a backup is restored onto an empty installation. Nothing was changed: it may be the only key of"
				" its kind, so move what is there to another place first (docs/operations.md, \"Restoring\")", keys, e->d_name);
	if (d)
		closedir(d);
	return rc;
}

static void say_what_is_lost(void)
{
	puts("Keys that were made or rotated after this backup are not in it. A device whose volume has such a key says so on its page: it opens with the key of a "
		"later backup or a WAL archive, or with one that was exported since (docs/operations.md, \"What a restored database does not know\").");
}

/* All that it may refuse for comes before anything is written; what takes longest, reading all of the backup, after what does not. */
int admin_restore(struct admin *a, int argc, char **argv)
{
	char *keys = admin_keys_path(a, "");
	int rc = check_empty(keys);

	(void)argc;
	if (rc == 0 && has_log(argv[0]) && !admin_has_log(a))
		rc = err_set(ERR_CONFLICT, "the backup has a log database: set database.log first, to where it is to be");
	if (rc == 0)
		rc = prepare_database(a);
	if (rc == 0 && has_log(argv[0]))
		rc = prepare_log(a);
	if (rc == 0)
		rc = verify(argv[0], argv[1]);
	if (rc == 0)
		rc = restore(a, argv[0], argv[1], keys);
	if (rc == 0) {
		puts("restored: start the key service, then `keyward migrate`, `keyward tickets renew`, then the others");
		say_what_is_lost();
	}
	free(keys);
	return rc;
}
