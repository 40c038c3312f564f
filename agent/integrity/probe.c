/* probe.c - keyward-facts, the Integrity Check Module as a process: the wish comes on standard input, a line goes out for each fact as
 * soon as it is known. It holds no key and no connection; whoever asks ends it when it hangs (ask.c).
 *
 *     keyward-facts                as the agent runs it
 *     keyward-facts --measure      what each fact costs on this machine
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/integrity/updates.h"
#include "agent/integrity/wish.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"

#define ADDRESS_SPACE_MAX (1ul << 30)
#define MEASURES 5

static void harden(void)
{
	static const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#if !defined(__SANITIZE_ADDRESS__)       /* which maps terabytes */
	setrlimit(RLIMIT_AS, &(struct rlimit){ ADDRESS_SPACE_MAX, ADDRESS_SPACE_MAX });
#endif
}

static void say(const json_t *o)
{
	char *text = json_text(o);

	puts(text);
	fflush(stdout);
	free(text);
}

static void tell(void *ctx, const struct fact *f, json_t *value, clock_us took)
{
	json_t *o = json_pack("{s:s}", "fact", f->name);

	if (value)
		json_object_set(o, "value", value);
	say(o);
	json_decref(o);
}

static int read_all(struct buf *out)
{
	char piece[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0 && out->len <= WISH_MAX)
		buf_add(out, piece, (size_t)n);
	return n < 0 ? err_set(ERR_IO, "standard input cannot be read") : 0;
}

static int answer(void)
{
	struct buf text = BUF_INIT;
	json_t *end = json_pack("{s:b}", "end", 1);
	struct wish w;
	int rc = read_all(&text);

	if (rc == 0)
		rc = wish_parse(buf_str(&text), text.len, &w);
	if (rc == 0) {
		facts_walk(&w.facts, w.known, w.skip, tell, NULL);
		say(end);
		wish_clear(&w);
	}
	json_decref(end);
	buf_free(&text);
	return rc;
}

static void measure(void)
{
	static const struct facts_wish none;
	struct buf out = BUF_INIT;

	facts_measure(&none, MEASURES, &out);
	fputs(buf_str(&out), stdout);
	buf_free(&out);
}

int main(int argc, char **argv)
{
	harden();
	log_open("facts", LOG_LEVEL_INFO);
	if (argc > 1 && strcmp(argv[1], "--measure") == 0) {
		measure();
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], UPDATES_OPTION) == 0) {
		if (updates_count(argv[2]) < 0)
			log_warning("updates that wait cannot be counted", "reason", err_text(), NULL);
		return 0;
	}
	if (argc > 1) {
		fprintf(stderr, "keyward-facts: it is run by keyward-agent; --measure shows what facts cost here\n");
		return 2;
	}
	if (answer() < 0) {
		log_error("the wish is not understood", "reason", err_text(), NULL);
		return 1;
	}
	return 0;
}
