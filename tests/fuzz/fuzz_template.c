/* fuzz_template.c - fuzzes compiling, translating and rendering: the input is a catalogue (empty: English), three templates and a document, parted by
 * zero bytes.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc tests/fuzz/fuzz_template.c \
 *     src/render/{compile,load,render,template,units,words}.c src/base/{buf,err,file,json,mem,uuid,clock}.c -lsodium -ljansson -o build/fuzz_template
 *   build/fuzz_template -max_total_time=120 -max_len=4096
 *
 * Where no template and no text has a <, the output must have none either, whatever the document holds; a failure leaves no output. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "render/template.h"
#include "render/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "t", "p", "q" };

/* The length of the part at *AT, which is moved behind it. */
static size_t part(const char **at, const char *end)
{
	const char *from = *at, *stop = from < end ? memchr(from, '\0', (size_t)(end - from)) : NULL;

	*at = stop ? stop + 1 : end;
	return (size_t)((stop ? stop : end) - from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *from = at;
	size_t len = part(&at, end);
	struct words *words = NULL;
	struct template_set *set;
	struct buf out = BUF_INIT;
	json_t *doc = NULL;
	int plain = 1, rc = 0;

	/* A text may have a < that is written otherwise in JSON. */
	if (len && words_parse(from, len, &words) == 0)
		plain = !memchr(from, '<', len) && !memchr(from, '\\', len);
	set = template_set_new(words);
	for (size_t i = 0; i < 3; i++) {
		from = at;
		len = part(&at, end);
		plain = plain && !memchr(from, '<', len);
		if (rc == 0)
			rc = template_set_add(set, names[i], TEMPLATE_HTML, from, len);
	}
	if (rc == 0 && template_set_link(set) == 0) {
		doc = json_loadb(at, (size_t)(end - at), JSON_DECODE_ANY, NULL);
		rc = template_render(set, "t", doc, &out);
		if (rc == 0 && plain && out.len && memchr(out.data, '<', out.len))
			abort();
		if (rc < 0 && out.len)
			abort();
	}
	json_decref(doc);
	buf_free(&out);
	template_set_free(set);
	return 0;
}
