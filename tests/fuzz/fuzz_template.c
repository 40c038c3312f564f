/* fuzz_template.c - fuzzes compiling and rendering: the input is three templates and a document, parted by zero bytes.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc tests/fuzz/fuzz_template.c \
 *     src/render/{compile,load,render,template}.c src/base/{buf,err,file,json,mem,uuid,clock}.c -lsodium -ljansson -o build/fuzz_template
 *   build/fuzz_template -max_total_time=120 -max_len=4096
 *
 * Where no template has a <, the output must have none either, whatever the document holds; a failure leaves no output. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "render/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "t", "p", "q" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct template_set *set = template_set_new(NULL);
	const char *at = (const char *)data, *end = at + size;
	struct buf out = BUF_INIT;
	json_t *doc = NULL;
	int plain = 1, rc = 0;

	for (size_t i = 0; i < 3; i++) {
		const char *stop = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
		size_t len = (size_t)((stop ? stop : end) - at);

		plain = plain && !memchr(at, '<', len);
		if (rc == 0)
			rc = template_set_add(set, names[i], TEMPLATE_HTML, at, len);
		at = stop ? stop + 1 : end;
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
