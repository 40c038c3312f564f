/* scratch.c - folders below the system's temporary one. */
#include "jobs/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#define PREFIX "/tmp/keyward-jobs-"

/* Whether the path still leads to what is locked: who cleans up has removed it before its lock can be had. */
static int is_there(const struct scratch *s)
{
	struct stat locked, named;

	return fstat(s->lock, &locked) == 0 && stat(s->path, &named) == 0 && locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
}

/* 1: it is made; 0: a process that starts has taken it for one that is left, before it was locked. */
static int make(struct scratch *s)
{
	int gone;

	snprintf(s->path, sizeof s->path, PREFIX "XXXXXX");
	s->lock = -1;
	if (mkdtemp(s->path) == NULL)
		return err_set(ERR_IO, "no folder for files: %s", strerror(errno));
	s->lock = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock >= 0 && flock(s->lock, LOCK_EX | LOCK_NB) == 0 && is_there(s))
		return 1;
	gone = s->lock < 0 ? errno == ENOENT : errno == EWOULDBLOCK || errno == ENOENT;
	scratch_remove(s);
	return gone ? 0 : err_set(ERR_IO, "the folder for files cannot be locked");
}

int scratch_make(struct scratch *s)
{
	int made;

	do
		made = make(s);
	while (made == 0);
	return made < 0 ? made : 0;
}

/* Only files are ever put there. */
static void empty(int folder)
{
	int copy = dup(folder);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		unlinkat(folder, entry->d_name, 0);
	if (dir)
		closedir(dir);
}

void scratch_remove(struct scratch *s)
{
	if (s->lock >= 0) {
		empty(s->lock);
		rmdir(s->path);
		close(s->lock);
	}
	s->lock = -1;
}

void scratch_clean(void)
{
	glob_t found = { .gl_pathc = 0 };

	if (glob(PREFIX "*", 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct scratch s = { .lock = open(found.gl_pathv[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) };
		struct stat st;

		snprintf(s.path, sizeof s.path, "%s", found.gl_pathv[i]);
		if (s.lock >= 0 && fstat(s.lock, &st) == 0 && st.st_uid == geteuid() && flock(s.lock, LOCK_EX | LOCK_NB) == 0)
			scratch_remove(&s);
		else if (s.lock >= 0)
			close(s.lock);
	}
	globfree(&found);
}
