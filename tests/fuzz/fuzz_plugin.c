/* fuzz_plugin.c - answers of provider plug-ins, and user data. The first byte chooses the question. What was read must be writable and
 * read the same again. */
#include <stdlib.h>
#include <string.h>

#include "agent/guest/wants.h"
#include "agent/provider/answer.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(enum plugin_question q, const void *answer)
{
	size_t n = plugin_questions[q].answer->size;
	struct plugin_common common;
	void *copy = mem_alloc(n);
	json_t *o;
	char *text;

	if (plugin_answer_write(q, answer, &o) < 0)
		fatal("what was read cannot be written: %s", err_text());
	text = json_text(o);
	if (plugin_answer_read(q, text, strlen(text), copy, &common) < 0 || memcmp(answer, copy, n) != 0)
		fatal("what was written is not what is read: %s", text);
	json_decref(common.memo);
	json_decref(o);
	free(text);
	free(copy);
}

static void read_user_data(const char *data, size_t size)
{
	static struct wants w;
	struct buf complaints = BUF_INIT;
	char *text = mem_dup(data, size);

	w.count = 0;
	wants_add_user_data(&w, text, &complaints);
	for (int i = 0; i < w.count; i++)
		if (w.list[i].mount_point[0] != '/' || w.list[i].id[0] == '\0')
			fatal("a device without id or mount point");
	buf_free(&complaints);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum plugin_question q;
	struct plugin_common common;
	void *out;

	if (size == 0)
		return 0;
	read_user_data((const char *)data + 1, size - 1);
	q = (enum plugin_question)(data[0] % PLUGIN_QUESTION_COUNT);
	out = mem_alloc(plugin_questions[q].answer->size);
	if (plugin_answer_read(q, (const char *)data + 1, size - 1, out, &common) == 0) {
		json_decref(common.memo);
		again(q, out);
	}
	free(out);
	return 0;
}
