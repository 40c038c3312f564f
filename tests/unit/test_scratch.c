/* test_scratch.c - folders of jobs for files in the making. */
#include "check.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jobs/scratch.h"

#define FOLDERS 200
#define OTHERS 4

/* Whether the folder is there to put a file in. */
static int holds_files(const struct scratch *s)
{
	struct stat st;

	return stat(s->path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_nlink == 2;
}

TEST(what_another_process_has_just_made_is_not_removed, "RPT-4,ADM-2")
{
	int lost = 0;
	pid_t others[OTHERS];

	/* Those that start, one after the other. */
	for (int i = 0; i < OTHERS; i++)
		if ((others[i] = fork()) == 0)
			for (;;)
				scratch_clean();
	for (int i = 0; i < FOLDERS; i++) {
		struct scratch s;

		if (scratch_make(&s) < 0) {
			lost++;
			continue;
		}
		lost += !holds_files(&s);
		scratch_remove(&s);
	}
	for (int i = 0; i < OTHERS; i++) {
		kill(others[i], SIGKILL);
		waitpid(others[i], NULL, 0);
	}
	CHECK_INT(lost, 0);
}

TEST(what_a_killed_process_left_is_removed, "RPT-4")
{
	struct scratch s;

	CHECK(scratch_make(&s) == 0 && holds_files(&s));
	scratch_clean();
	CHECK(holds_files(&s));
	/* As when it is killed: nobody holds it, and it is there. */
	close(s.lock);
	scratch_clean();
	CHECK(access(s.path, F_OK) < 0);
}

TEST_MAIN
