/* test_plugin.c - the seam to provider plug-ins: what a program that is run may do and what it gets, and answers as text. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/provider/provider.h"
#include "agent/provider/run.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "check.h"

static char folder[64];

/* A script of /bin/sh in a folder of its own. */
static char *script(const char *text)
{
	char *path, *all = mem_printf("#!/bin/sh\n%s\n", text);

	signal(SIGPIPE, SIG_IGN);
	if (folder[0] == '\0') {
		snprintf(folder, sizeof folder, "/tmp/keyward-plugin-XXXXXX");
		CHECK(mkdtemp(folder) != NULL);
	}
	path = mem_printf("%s/script", folder);
	CHECK_INT(file_write(path, all, strlen(all), 0755), 0);
	free(all);
	return path;
}

static int run_script(const char *text, const char *input, int seconds, size_t max, struct run_result *out)
{
	char *path = script(text), *copy = mem_strdup(input);
	struct iovec part = { copy, strlen(copy) };
	struct run r = { path, &part, 1, seconds, max };
	int rc = run_program(&r, out);

	free(copy);
	free(path);
	return rc;
}

TEST(run_passes_input_and_output, "CSP-1")
{
	struct run_result r;

	CHECK_INT(run_script("cat; echo aside >&2; exit 1", "hello", 30, 100, &r), 0);
	CHECK_STR(buf_str(&r.output), "hello");
	CHECK_STR(buf_str(&r.errors), "aside\n");
	CHECK_INT(r.status, 1);
	run_result_free(&r);
	CHECK_INT(run_script("kill -SEGV $$", "", 30, 100, &r), 0);
	CHECK_INT(r.status, 128 + SIGSEGV);
	run_result_free(&r);
}

TEST(run_writes_more_than_a_pipe_holds_to_one_that_does_not_read, "CSP-1")
{
	char *big = mem_alloc(1 << 20);
	struct run_result r;

	memset(big, 'x', (1 << 20) - 1);
	CHECK_INT(run_script("exec <&-; echo done", big, 30, 100, &r), 0);
	CHECK_STR(buf_str(&r.output), "done\n");
	run_result_free(&r);
	free(big);
}

TEST(run_ends_what_takes_too_long_with_all_its_children, "CSP-1, AGT-1")
{
	struct run_result r;
	struct buf pid = BUF_INIT;
	char *file = NULL;
	int rc = ERR_NOT_FOUND;

	/* A machine that has not even begun the child in that time gets more. */
	for (int seconds = 1; rc < 0 && seconds <= 64; seconds *= 4) {
		CHECK_INT(run_script("sleep 600 & echo $! >${0%/*}/begun; mv ${0%/*}/begun ${0%/*}/child; wait", "", seconds, 100, &r), ERR_TIMEOUT);
		run_result_free(&r);
		free(file);
		file = mem_printf("%s/child", folder);
		rc = file_read(file, 32, &pid);
	}
	CHECK_INT(rc, 0);
	CHECK(strtol(buf_str(&pid), NULL, 10) > 1);
	/* Killed at once, gone as soon as init has noticed. */
	for (int i = 0; i < 1000 && kill((pid_t)strtol(buf_str(&pid), NULL, 10), 0) == 0; i++) {
		char *stat = mem_printf("/proc/%ld/stat", strtol(buf_str(&pid), NULL, 10));
		struct buf text = BUF_INIT;
		int zombie = file_read(stat, 4096, &text) < 0 || strstr(buf_str(&text), ") Z ") != NULL;

		buf_free(&text);
		free(stat);
		if (zombie)
			break;
		usleep(10000);
		CHECK(i < 999);
	}
	buf_free(&pid);
	free(file);
}

TEST(run_kills_what_is_left_behind, "CSP-1")
{
	struct run_result r;

	CHECK_INT(run_script("sleep 600 >/dev/null 2>&1 & echo x", "", 30, 100, &r), 0);
	CHECK_INT(r.left_over, 1);
	run_result_free(&r);
	CHECK_INT(run_script("echo x", "", 30, 100, &r), 0);
	CHECK_INT(r.left_over, 0);
	run_result_free(&r);
}

TEST(run_limits_output, "CSP-1, SEC-5")
{
	struct run_result r;

	CHECK_INT(run_script("while :; do echo 0123456789; done", "", 30, 1000, &r), ERR_TOO_LARGE);
	CHECK_INT((int)r.output.len, 1000);
	run_result_free(&r);
	CHECK_INT(run_script("head -c 100000 /dev/zero | tr '\\0' x >&2; echo ok", "", 30, 1000, &r), 0);
	CHECK_INT((int)r.errors.len, RUN_ERRORS_MAX);
	run_result_free(&r);
}

/* What a child could find: descriptors without close-on-exec, environment, privileges to gain, core dumps. */
TEST(run_passes_nothing_on, "CSP-1, SEC-4")
{
	struct run_result r;

	setenv("KEYWARD_PASSPHRASE", "not for plug-ins", 1);
	CHECK_INT(run_script("ls /proc/$$/fd | tr '\\n' ' '; env | sort | grep -v '^_=' | tr '\\n' ' '; grep NoNewPrivs /proc/$$/status;"
		" ulimit -c; pwd; test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leads", "", 30, 10000, &r), 0);
	/* 10 or 255 is where a shell keeps its script. */
	CHECK(strncmp(buf_str(&r.output), "0 1 ", 4) == 0 && strstr(buf_str(&r.output), " 2 ") != NULL);
	CHECK(strstr(buf_str(&r.output), "KEYWARD") == NULL);
	CHECK(strstr(buf_str(&r.output), "LC_ALL=C PATH=/usr/local/sbin") != NULL);
	CHECK(strstr(buf_str(&r.output), "NoNewPrivs:\t1") != NULL);
	CHECK(strstr(buf_str(&r.output), "\n0\n/\nleads\n") != NULL);
	run_result_free(&r);
	unsetenv("KEYWARD_PASSPHRASE");
}

TEST(run_closes_descriptors_of_others, "CSP-1")
{
	struct run_result r;
	int fd = open("/etc/passwd", O_RDONLY), high = dup2(fd, 63);

	CHECK_INT(run_script("readlink /proc/$$/fd/63 || echo none", "", 30, 100, &r), 0);
	CHECK_STR(buf_str(&r.output), "none\n");
	run_result_free(&r);
	close(high);
	close(fd);
}

TEST(run_says_what_cannot_be_run, "CSP-1")
{
	struct run r = { "/nowhere/at/all", NULL, 0, 5, 100 };
	struct run_result out;
	char *path = script("echo x");

	CHECK_INT(run_program(&r, &out), ERR_NOT_FOUND);
	run_result_free(&out);
	CHECK_INT(run_may(path), 0);
	chmod(path, 0775);
	CHECK_INT(run_may(path), ERR_FORBIDDEN);
	chmod(path, 0757);
	CHECK_INT(run_may(path), ERR_FORBIDDEN);
	chmod(path, 0755);
	chmod(folder, 0777);
	CHECK_INT(run_may(path), ERR_FORBIDDEN);
	chmod(folder, 0700);
	if (geteuid() == 0) {
		CHECK_INT(chown(path, 65534, 0), 0);
		CHECK_INT(run_may(path), ERR_FORBIDDEN);
		CHECK_INT(chown(path, 0, 0), 0);
	}
	CHECK_INT(run_may(folder), ERR_FORBIDDEN);
	free(path);
}

static int read_text(enum plugin_question q, const char *text, void *out, struct plugin_common *common)
{
	int rc = plugin_answer_read(q, text, strlen(text), out, common);

	json_decref(common->memo);
	return rc;
}

TEST(answers_become_structs, "CSP-1")
{
	struct plugin_devices *d = mem_alloc(sizeof *d);
	struct plugin_common common;

	CHECK_INT(read_text(PLUGIN_LIST, "{\"keyward\":1,\"devices\":[{\"id\":\"vol-1\",\"path\":\"/dev/nvme1n1\",\"kind\":\"disk\","
		"\"size_bytes\":1024,\"later\":1}],\"warning\":\"a\\nb\",\"memo\":{\"x\":1}}", d, &common), 0);
	CHECK_INT(d->devices_count, 1);
	CHECK_STR(d->devices[0].id, "vol-1");
	CHECK_INT(d->devices[0].kind, PROTO_DEVICE_DISK);
	CHECK_INT(d->devices[0].size_bytes, 1024);
	CHECK_STR(common.warning, "a b");
	CHECK_INT(read_text(PLUGIN_LIST, "{\"keyward\":1,\"devices\":[{\"id\":\"vol-1\"}]}", d, &common), ERR_INVALID);
	CHECK_INT(common.refusal, 0);
	free(d);
}

TEST(error_answers_are_told_from_bad_ones, "CSP-1")
{
	static struct plugin_identity out;
	struct plugin_common common;

	CHECK_INT(read_text(PLUGIN_IDENTIFY, "{\"keyward\":1,\"error\":{\"code\":\"forbidden\",\"text\":\"no\",\"advice\":\"ask\"}}", &out,
		&common), ERR_FORBIDDEN);
	CHECK_INT(common.refusal, ERR_FORBIDDEN);
	CHECK_STR(err_text(), "no. ask");
	CHECK_INT(read_text(PLUGIN_IDENTIFY, "{\"keyward\":1,\"error\":{\"code\":\"strange\",\"text\":\"x\"}}", &out, &common), ERR_INTERNAL);
	CHECK_INT(read_text(PLUGIN_IDENTIFY, "{\"keyward\":1,\"error\":7}", &out, &common), ERR_INVALID);
	CHECK_INT(common.refusal, 0);
	CHECK_INT(read_text(PLUGIN_IDENTIFY, "{\"keyward\":2}", &out, &common), ERR_VERSION);
	CHECK_INT(read_text(PLUGIN_IDENTIFY, "{}", &out, &common), ERR_INVALID);
	CHECK_INT(read_text(PLUGIN_IDENTIFY, "", &out, &common), ERR_INVALID);
	CHECK_INT(read_text(PLUGIN_IDENTIFY, "{\"keyward\":1}{\"keyward\":1}", &out, &common), ERR_INVALID);
}

TEST_MAIN
