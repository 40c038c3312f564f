/* fuzz_entry.c - what agents and other servers wrote into the log, said in words: whatever it is comes out as text, a sentence of ours with what stood in its
 * holes and no hole of ours left, and an entry's detail that is JSON is said whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "notice/entry.h"
#include "render/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes PHRASE over. */
static void say(json_t *phrase, const char *text)
{
	char *said = words_phrase_text(NULL, phrase);

	if (!json_is_text(said, strlen(said)) || (text && *text && *said == '\0') || (text && !strchr(text, '%') && strstr(said, "%{")))
		abort();
	free(said);
	json_decref(phrase);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_dup(data, size);
	json_t *detail;

	if (json_is_text(text, strlen(text))) {
		say(entry_reason(text), text);
		say(entry_comment(text), text);
		detail = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		if (json_is_object(detail))
			say(entry_detail(detail), NULL);
		json_decref(detail);
	}
	free(text);
	return 0;
}
