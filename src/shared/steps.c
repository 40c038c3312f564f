/* steps.c - first steps as a page shows them. */
#include "shared/steps.h"

json_t *steps_shown(const struct call *c, const struct step *steps, size_t count, const int *done)
{
	json_t *list = json_array();
	int before = 1;

	for (size_t i = 0; i < count; i++) {
		const struct step *s = &steps[i];
		int next = before && !done[i], may = next && call_may(c, s->needs);

		json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:b, s:b, s:b, s:s?, s:s}", "number", (int)i + 1, "title",
			call_translate(c, s->title), "text", call_translate(c, s->text), "done", done[i], "next", next, "here", may && i == 0, "url",
			may ? s->url : NULL, "button", call_translate(c, s->button)));
		before &= done[i];
	}
	return json_pack("{s:o}", "list", list);
}
