/* updates.c - updates that wait. apt is asked what it would install: it alone knows of pins and origins, but it takes seconds of
 * processor time, so its answer is kept until packages or lists change, and it is asked by a process of its own with the
 * least priority. Elsewhere what update-notifier (Ubuntu) has counted will do. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/ioprio.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/integrity/family.h"
#include "agent/integrity/updates.h"
#include "agent/volume/command.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define NOTIFIER "/var/lib/update-notifier/updates-available"
#define SMALL_FILE_MAX 65536
#define APT_MS (10 * 60 * 1000)
#define APT_OUTPUT_MAX (8u << 20)
#define KEPT "updates.json"
#define LOCK "updates.lock"
#define WAIT (20 * CLOCK_SECOND)         /* for the first count: a key request wants it */

/* The number at the start of a line that has WORDS in it; -1: no such line. */
static int number_before(const char *text, const char *words)
{
	int n = -1;

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		const char *found = strstr(line, words), *end = strchr(line, '\n');

		if (isdigit((unsigned char)line[0]) && found && (end == NULL || found < end))
			n = (int)strtol(line, NULL, 10);
	}
	return n;
}

/* The words have changed with the years; lines about what a subscription would bring besides are not meant. */
void updates_read(const char *text, int *pending, int *security)
{
	static const char *const all[] = { "can be applied immediately", "can be installed immediately", "can be updated" };
	static const char *const some[] = { "are standard security updates", "is a standard security update", "are security updates",
		"is a security update" };

	*pending = *security = -1;
	for (size_t i = 0; i < ARRAY_LEN(all) && *pending < 0; i++)
		*pending = number_before(text, all[i]);
	for (size_t i = 0; i < ARRAY_LEN(some) && *security < 0; i++)
		*security = number_before(text, some[i]);
	/* Of none there is no line. */
	if (*pending >= 0 && *security < 0)
		*security = 0;
}

/* "Inst bash [5.2.15-2] (5.2.15-2+b1 Debian:12.15/stable, Debian-Security:12/stable-security [amd64])"; what has no [version] is
 * not installed yet. */
void updates_take_apt(char *text, int *pending, int *security)
{
	char *line;

	*pending = *security = 0;
	while ((line = strsep(&text, "\n")) != NULL) {
		const char *name = strncmp(line, "Inst ", 5) == 0 ? line + 5 : "", *old = strchr(name, ' ');
		const char *origins = old && old[1] == '[' ? strchr(old, '(') : NULL;

		if (origins == NULL)
			continue;
		++*pending;
		*security += strstr(origins, "Debian-Security:") != NULL || strstr(origins, "-security") != NULL;
	}
}

/* Without lists apt would say that nothing waits. */
static int has_apt(void)
{
	static const char *const lists[] = { "/var/lib/apt/lists/*_InRelease", "/var/lib/apt/lists/*_Release" };
	int found = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		glob_t g = { 0 };

		found |= glob(lists[i], GLOB_NOSORT, NULL, &g) == 0;
		globfree(&g);
	}
	return found && access("/usr/bin/apt-get", X_OK) == 0;
}

/* Changes with whatever apt's answer depends on. */
static void read_stamp(struct buf *out)
{
	static const char *const paths[] = { "/var/lib/dpkg/status", "/var/lib/apt/lists", "/etc/apt/preferences", "/etc/apt/preferences.d",
		"/etc/apt/sources.list", "/etc/apt/sources.list.d" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct stat st = { 0 };

		if (stat(paths[i], &st) < 0)
			memset(&st, 0, sizeof st);
		buf_printf(out, "%s%lld.%09ld", i ? " " : "", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
}

/* What was counted, if it is of now: 0, or ERR_NOT_FOUND. */
static int read_kept(const char *folder, int *pending, int *security)
{
	char *path = mem_printf("%s/" KEPT, folder);
	struct buf text = BUF_INIT, stamp = BUF_INIT;
	const char *of = "";
	int64_t all = -1, some = -1;
	json_t *o = NULL;
	int rc = file_read(path, SMALL_FILE_MAX, &text);

	read_stamp(&stamp);
	if (rc == 0)
		rc = json_parse_object(buf_str(&text), text.len, SMALL_FILE_MAX, &o);
	if (rc == 0)
		rc = json_get_string(o, "stamp", SMALL_FILE_MAX, &of);
	if (rc == 0)
		rc = json_get_int(o, "pending", 0, 1000000, &all);
	if (rc == 0)
		rc = json_get_int(o, "security", 0, 1000000, &some);
	if (rc == 0 && strcmp(of, buf_str(&stamp)) != 0)
		rc = ERR_NOT_FOUND;
	if (rc == 0) {
		*pending = (int)all;
		*security = (int)some;
	}
	json_decref(o);
	buf_free(&text);
	buf_free(&stamp);
	free(path);
	return rc == 0 ? 0 : ERR_NOT_FOUND;
}

static int keep(const char *folder, const char *stamp, int pending, int security)
{
	char *path = mem_printf("%s/" KEPT, folder), *text;
	json_t *o = json_pack("{s:s, s:i, s:i}", "stamp", stamp, "pending", pending, "security", security);
	int rc;

	text = json_text(o);
	rc = file_write(path, text, strlen(text), 0600);
	json_decref(o);
	free(text);
	free(path);
	return rc;
}

static int ask_apt(int *pending, int *security)
{
	char *argv[] = { (char[]){ "apt-get" }, (char[]){ "-s" }, (char[]){ "-q" }, (char[]){ "-o" },
		(char[]){ "Debug::NoLocking=1" }, (char[]){ "dist-upgrade" }, NULL };
	struct buf out = BUF_INIT;
	int rc = command_output(argv, APT_MS, APT_OUTPUT_MAX, &out);

	if (rc > 0)
		rc = err_set(ERR_IO, "apt-get ended with status %d", rc);
	*pending = *security = 0;
	if (rc == 0 && out.data)
		updates_take_apt(out.data, pending, security);
	buf_free(&out);
	return rc;
}

/* The stamp is taken before: what changes meanwhile makes the count old at once. */
int updates_count(const char *folder)
{
	char *path = mem_printf("%s/" LOCK, folder);
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), pending, security, rc = 0;
	struct buf stamp = BUF_INIT;

	free(path);
	if (lock < 0)
		return err_set(ERR_IO, "%s: %s", LOCK, strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB) == 0 && read_kept(folder, &pending, &security) < 0) {
		if (nice(19) < 0 || syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)) < 0)
			log_debug("counting with the usual priority", NULL);
		read_stamp(&stamp);
		rc = ask_apt(&pending, &security);
		if (rc == 0)
			rc = keep(folder, buf_str(&stamp), pending, security);
	}
	close(lock);
	buf_free(&stamp);
	return rc;
}

/* In a session of its own: it goes on when keyward-facts has ended. */
static void start_counting(const char *folder)
{
	char *where = mem_strdup(folder), program[] = "/proc/self/exe", option[] = UPDATES_OPTION;
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *argv[] = { program, option, where, NULL }, *env[] = { path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	pid_t pid;

	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, program, &files, &attr, argv, env) != 0)
		log_warning("updates cannot be counted", NULL);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	free(where);
}

static int count_with_apt(const char *folder, int *pending, int *security)
{
	static const struct timespec step = { 0, 100000000 };
	clock_us until = clock_ticks() + WAIT;

	if (read_kept(folder, pending, security) == 0)
		return 0;
	start_counting(folder);
	while (clock_ticks() < until) {
		nanosleep(&step, NULL);
		if (read_kept(folder, pending, security) == 0)
			return 0;
	}
	return ERR_TIMEOUT;
}

static void read_notifier(int *pending, int *security)
{
	struct buf text = BUF_INIT;

	if (file_read(NOTIFIER, SMALL_FILE_MAX, &text) == 0)
		updates_read(buf_str(&text), pending, security);
	buf_free(&text);
}

static const struct updates *look(struct facts_run *run)
{
	struct updates *u = &run->updates;

	if (u->looked)
		return u;
	*u = (struct updates){ 1, -1, -1 };
	if (run->wish->cache && has_apt())
		count_with_apt(run->wish->cache, &u->pending, &u->security);
	else
		read_notifier(&u->pending, &u->security);
	return u;
}

json_t *fact_pending(struct facts_run *run)
{
	return look(run)->pending < 0 ? NULL : json_integer(run->updates.pending);
}

json_t *fact_pending_security(struct facts_run *run)
{
	return look(run)->security < 0 ? NULL : json_integer(run->updates.security);
}

/* When the lists of what there is were last fetched. */
json_t *fact_checked(struct facts_run *run)
{
	static const char *const marks[] = { "/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists",
		"/var/cache/dnf/last_makecache" };
	char text[CLOCK_TEXT_SIZE];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (stat(marks[i], &st) < 0)
			continue;
		clock_text((clock_us)st.st_mtim.tv_sec * CLOCK_SECOND, text);
		return json_string(text);
	}
	return NULL;
}
