/* outside_tool.c - asks a Deep Security Manager for a test: outside_tool URL CA_FILE|- local|strict API_KEY [HOST]. Prints the facts, or
 * the error's name and text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/json.h"
#include "outside/deep_security.h"

#define CA_MAX 65536

static int ask(const struct https_server *server, const struct secret *key, const char *host)
{
	json_t *facts = NULL;
	char *text;
	int rc = host ? deep_security_look_up(server, key, host, &facts) : deep_security_test(server, key);

	if (rc < 0) {
		printf("%s %s\n", err_name(rc), err_text());
		return 1;
	}
	text = facts ? json_text(facts) : mem_strdup("{}");
	puts(text);
	free(text);
	json_decref(facts);
	return 0;
}

int main(int argc, char **argv)
{
	struct buf ca = BUF_INIT;
	struct https_server server = { 0 };
	struct secret *key;
	int failed;

	if (argc < 5 || (strcmp(argv[2], "-") != 0 && file_read(argv[2], CA_MAX, &ca) < 0))
		return 2;
	secret_init();
	server = (struct https_server){ argv[1], ca.len ? buf_str(&ca) : NULL, strcmp(argv[3], "local") == 0 };
	key = secret_take(argv[4], strlen(argv[4]));
	failed = ask(&server, key, argc > 5 ? argv[5] : NULL);
	secret_free(key);
	buf_free(&ca);
	return failed;
}
