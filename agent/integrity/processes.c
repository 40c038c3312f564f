/* processes.c - what runs, by name. A name is what the process calls itself: the kernel keeps 15 bytes of it, and what follows is
 * taken from the first word of its command line where that goes on so. Nothing else of a command line is read. */
#include "agent/integrity/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/common/host.h"
#include "agent/integrity/family.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define PROCESSES_MAX 32768
#define SOCKETS_TIME (2 * CLOCK_SECOND)
#define SHORT_NAME 15
#define KERNEL_THREAD 0x00200000u        /* PF_KTHREAD */

struct process {
	int pid;
	char name[PROCESS_NAME_MAX + 1];
};

struct process_table {
	struct process *rows;
	size_t count;
	int whole;
};

int processes_read_stat(const char *text, char name[static PROCESS_NAME_MAX + 1])
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	unsigned flags;

	if (open == NULL || close == NULL || close < open
		|| sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || flags & KERNEL_THREAD)
		return 0;
	snprintf(name, PROCESS_NAME_MAX + 1, "%.*s", (int)(close - open - 1), open + 1);
	return 1;
}

static void complete_name(struct process *p)
{
	char path[64], word[256];
	const char *base;

	snprintf(path, sizeof path, "/proc/%d/cmdline", p->pid);
	host_read_line(path, word, sizeof word);
	base = strrchr(word, '/') ? strrchr(word, '/') + 1 : word;
	if (strncmp(base, p->name, SHORT_NAME) == 0)
		snprintf(p->name, sizeof p->name, "%.*s", (int)strcspn(base, " "), base);
}

static int look(int pid, struct process *p)
{
	char path[64], text[512];

	p->pid = pid;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	host_read_line(path, text, sizeof text);
	if (!processes_read_stat(text, p->name))
		return 0;
	if (strlen(p->name) == SHORT_NAME)
		complete_name(p);
	fact_clean(p->name);
	return 1;
}

static struct process_table *look_at_all(void)
{
	struct process_table *t = mem_alloc(sizeof *t);
	DIR *folder = opendir("/proc");
	const struct dirent *e;

	while (folder && (e = readdir(folder)) != NULL && t->count < PROCESSES_MAX) {
		struct process p;

		if (!isdigit((unsigned char)e->d_name[0]) || !look(atoi(e->d_name), &p))
			continue;
		t->rows = mem_grow(t->rows, t->count + 1, sizeof *t->rows);
		t->rows[t->count++] = p;
	}
	t->whole = folder && t->count < PROCESSES_MAX;
	if (folder)
		closedir(folder);
	return t;
}

const struct process_table *processes_of(struct facts_run *run)
{
	if (run->processes == NULL)
		run->processes = look_at_all();
	return run->processes->whole ? run->processes : NULL;
}

void processes_free(struct process_table *t)
{
	if (t)
		free(t->rows);
	free(t);
}

static void look_at_sockets(const struct process *p, const json_t *sockets,
	void (*found)(void *ctx, const char *inode, const char *name), void *ctx)
{
	char path[64], target[64];
	const struct dirent *e;
	DIR *folder;

	snprintf(path, sizeof path, "/proc/%d/fd", p->pid);
	folder = opendir(path);
	while (folder && (e = readdir(folder)) != NULL) {
		ssize_t n = readlinkat(dirfd(folder), e->d_name, target, sizeof target - 1);

		target[n > 0 ? n : 0] = '\0';
		target[strcspn(target, "]")] = '\0';
		if (strncmp(target, "socket:[", 8) == 0 && json_object_get(sockets, target + 8))
			found(ctx, target + 8, p->name);
	}
	if (folder)
		closedir(folder);
}

void processes_of_sockets(const struct process_table *t, const json_t *sockets,
	void (*found)(void *ctx, const char *inode, const char *name), void *ctx)
{
	clock_us until = clock_ticks() + SOCKETS_TIME;

	/* Those who share a socket are told all, so a process is looked at even when every socket has a name. */
	for (size_t i = 0; i < t->count && json_object_size(sockets); i++) {
		if (clock_ticks() > until) {
			log_warning("finding who listens took too long; some services have no process", NULL);
			return;
		}
		look_at_sockets(&t->rows[i], sockets, found, ctx);
	}
}

json_t *fact_processes(struct facts_run *run)
{
	const struct process_table *t = processes_of(run);
	json_t *set = t ? json_object() : NULL;

	for (size_t i = 0; t && i < t->count; i++) {
		json_int_t former = json_integer_value(json_object_get(set, t->rows[i].name));

		json_object_set_new(set, t->rows[i].name, json_integer(former + 1));
	}
	return set;
}
