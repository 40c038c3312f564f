/* reencrypting.c - keyward-reencrypt: the process that encrypts one open volume anew, beside the agent, for as long as that takes.
 *
 *     keyward-reencrypt PATH NAME <KEY
 *
 * PATH holds the volume, NAME is its mapped device; the device key is all of standard input. It prints a percentage per line, and at the end
 * "done", or "failed" with the reason. SIGTERM, or the agent's end, stops it at a good place; run again, it goes on. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/volume/harden.h"
#include "agent/volume/volume.h"
#include "base/err.h"

#define KEY_MAX 512

static volatile sig_atomic_t stopping;

static void on_term(int number)
{
	stopping = number;
}

static int on_progress(void *ctx, const char *stage, int percent)
{
	int *said = ctx;

	if (percent != *said) {
		printf("%d\n", percent);
		fflush(stdout);
	}
	*said = percent;
	return stopping != 0;
}

static struct secret *read_key(void)
{
	struct secret *all = secret_new(KEY_MAX), *key = NULL;
	size_t len = 0;
	ssize_t n = 1;

	while (len < KEY_MAX && (n > 0 || (n < 0 && errno == EINTR))) {
		n = read(STDIN_FILENO, all->data + len, KEY_MAX - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n == 0 && len > 0) {
		key = secret_new(len);
		memcpy(key->data, all->data, len);
	}
	secret_free(all);
	return key;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_term };
	struct secret *key;
	int said = -1, rc;

	harden_process(STDERR_FILENO);
	secret_init();
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	key = argc == 3 ? read_key() : NULL;
	rc = key ? volume_reencrypt(argv[1], argv[2], key, on_progress, &said) : err_set(ERR_INVALID, "usage: keyward-reencrypt PATH NAME <KEY");
	secret_free(key);
	printf("%s %s\n", rc == 0 ? "done" : "failed", rc == 0 ? "" : err_text());
	return rc == 0 ? 0 : rc == ERR_CONFLICT ? 3 : 1;
}
