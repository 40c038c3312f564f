/* facts.c - the layers of facts, from and to JSON. */
#include "policy/facts.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "policy/catalogue.h"
#include "policy/value.h"

static const char *const names[] = {
#define X(id, name, label) name,
	FACT_SOURCE_ROWS(X)
#undef X
};
static const char *const labels[] = {
#define X(id, name, label) label,
	FACT_SOURCE_ROWS(X)
#undef X
};

const char *fact_source_name(enum fact_source s)
{
	return names[s];
}

const char *fact_source_label(enum fact_source s)
{
	return labels[s];
}

static int read_layer(const json_t *layer, enum fact_source s, struct facts *f)
{
	const json_t *values = json_object_get(layer, "values"), *at = json_object_get(layer, "at"), *off = json_object_get(layer, "off");

	if (layer == NULL || json_is_null(layer))
		return 0;
	if (!json_is_object(layer) || (values && !json_is_object(values)))
		return err_set(ERR_INVALID, "%s: facts are an object with values", names[s]);
	if (at && !json_is_null(at) && clock_parse(json_string_value(at), &f->from[s].at) < 0)
		return err_set(ERR_INVALID, "%s: at is no time", names[s]);
	if (off && !json_is_boolean(off))
		return err_set(ERR_INVALID, "%s: off is true or false", names[s]);
	f->from[s].values = values;
	f->from[s].off = json_is_true(off);
	return 0;
}

int facts_read(const json_t *doc, struct facts *out)
{
	struct facts f = { .sound = 0 };
	int rc = 0;

	if (doc && !json_is_null(doc) && !json_is_object(doc))
		return err_set(ERR_INVALID, "facts are an object");
	for (int s = 0; s < FACT_SOURCES && rc == 0; s++)
		rc = read_layer(json_object_get(doc, names[s]), (enum fact_source)s, &f);
	if (rc == 0)
		rc = json_get_int_opt(json_object_get(doc, names[FACT_SERVER]), "utc_offset_s", -FACTS_UTC_OFFSET_MAX, FACTS_UTC_OFFSET_MAX,
			&f.utc_offset_s);
	if (rc < 0)
		return rc;
	facts_check(&f);
	*out = f;
	return 0;
}

void facts_check(struct facts *f)
{
	size_t count;
	const struct rule_type *types = rule_types(&count);

	f->sound = 0;
	for (size_t i = 0; i < count && i < 64; i++) {
		const json_t *set = json_object_get(f->from[types[i].source].values, types[i].fact);

		if (types[i].data == DATA_SET && json_is_object(set) && set_is_sound(set, types[i].element))
			f->sound |= UINT64_C(1) << i;
	}
}
