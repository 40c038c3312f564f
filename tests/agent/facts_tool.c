/* facts_tool.c - facts_ask from a command line: facts_tool PROGRAM [cache=FOLDER] [FILE...]; prints the facts, FILEs being watched. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/integrity/ask.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

int main(int argc, char **argv)
{
	static struct proto_watch files[PROTO_WATCH_MAX];
	struct provider_identity who = { .region = "here", .zone = "here-1" };
	struct facts_wish wish = { .files = files, .who = &who };
	json_t *facts;
	char *text;

	log_open("facts-tool", LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return 2;
	for (int i = 2; i < argc && wish.files_count < PROTO_WATCH_MAX; i++) {
		if (strncmp(argv[i], "cache=", 6) == 0)
			wish.cache = argv[i] + 6;
		else
			snprintf(files[wish.files_count++].path, sizeof files[0].path, "%s", argv[i]);
	}
	facts = facts_ask(argv[1], &wish, 0);
	text = json_text(facts);
	puts(text);
	free(text);
	json_decref(facts);
	return 0;
}
