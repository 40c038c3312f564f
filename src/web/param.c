/* param.c - typing, limits and error texts of parameters. */
#include "web/param.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/word.h"
#include "identity/certificate.h"

#define EMAIL_MAX 254
#define INT_MOST ((int64_t)1 << 53)
#define JSON_MOST 65536
#define TEXTS_EACH_MAX 1000
#define FIELDS_EACH_MOST 20000

#define NEEDED "Please fill this in."
#define TWICE "This was sent twice."

static const char garbled[] = "This text is garbled.";
const char param_no_email[] = "An e-mail address is needed here.";

static const int64_t standard_most[] = {
	[PARAM_TEXT] = 200, [PARAM_LINES] = 4000, [PARAM_EMAIL] = EMAIL_MAX, [PARAM_PASSWORD] = 256, [PARAM_SECRET] = 8192, [PARAM_CERTIFICATES] = 65536, [PARAM_UUID] = 36,
	[PARAM_INT] = INT_MOST, [PARAM_BOOL] = 5, [PARAM_TIME] = 40, [PARAM_ENUM] = 100, [PARAM_UUIDS] = ROUTE_VALUES_MAX,
	[PARAM_JSON] = JSON_MOST, [PARAM_TEXTS] = ROUTE_VALUES_MAX, [PARAM_FIELDS] = FIELDS_EACH_MOST,
};

static int is_list(const struct param_value *v)
{
	return v->row.type == PARAM_UUIDS || v->row.type == PARAM_TEXTS;
}

static int has_lines(enum param_type type)
{
	return type == PARAM_LINES || type == PARAM_SECRET || type == PARAM_CERTIFICATES;
}

/* Control characters have no place in a text; line breaks and tabs only in LINES. DEL and C1 count as control characters. */
static int has_control(const char *text, int lines)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		if (lines && (*s == '\n' || *s == '\r' || *s == '\t'))
			continue;
		if (*s < ' ' || *s == 0x7f || (*s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f))
			return 1;
	}
	return 0;
}

static void trim(char *text)
{
	size_t len = strlen(text), skip = strspn(text, " \t\r\n");

	memmove(text, text + skip, len - skip + 1);
	len -= skip;
	while (len && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
}

/* Browsers send CR LF; everybody else thinks in LF. */
static void unix_lines(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from != '\r' || from[1] != '\n')
			*to++ = *from;
	*to = '\0';
}

static const char *read_int(struct param_value *v)
{
	char *end;
	const char *digits = v->text + (*v->text == '-');

	if (!isdigit((unsigned char)*digits) || strlen(digits) > 18)
		return "A whole number is needed here.";
	v->number = strtoll(v->text, &end, 10);
	if (*end)
		return "A whole number is needed here.";
	if (v->number < v->row.least || v->number > v->row.most)
		return "A number from %{least} to %{most} is needed here.";
	return NULL;
}

static const char *read_bool(struct param_value *v)
{
	static const char *const yes[] = { "true", "1", "on", "yes" }, *const no[] = { "false", "0", "off", "no" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(v->text, yes[i]) == 0 || strcmp(v->text, no[i]) == 0) {
			v->number = strcmp(v->text, yes[i]) == 0;
			return NULL;
		}
	}
	return "Yes or no is needed here.";
}

/* What date fields of browsers send, besides RFC 3339. */
static const char *read_time(struct param_value *v)
{
	static const struct {
		size_t len;
		const char *rest;
	} forms[] = { { 10, "T00:00:00Z" }, { 16, ":00Z" }, { 19, "Z" } };
	char *text = mem_strdup(v->text);
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (strlen(v->text) == forms[i].len) {
			free(text);
			text = mem_printf("%s%s", v->text, forms[i].rest);
		}
	}
	rc = clock_parse(text, &v->number);
	free(text);
	return rc < 0 ? "A date is needed here." : NULL;
}

/* Names and hosts that begin with a hyphen are nobody's, and an option to the programs of mail. */
const char *param_email_fault(const char *text)
{
	const char *at = strrchr(text, '@');
	size_t len;

	if (word_unseen(text, &len))
		return "There is a character in it that cannot be seen. Type the address anew.";
	if (*text == '-' || (at && at[1] == '-'))
		return "An address does not begin with a hyphen, nor does its part behind the @.";
	return strlen(text) <= EMAIL_MAX && at && at != text && at[1] != '\0' && at[1] != '.' && strchr(text, '@') == at
		&& strpbrk(text, " \"<>(),;:\\[]") == NULL && strstr(text, "..") == NULL && at[strlen(at) - 1] != '.' ? NULL
		: param_no_email;
}

static const char *read_email(struct param_value *v)
{
	return param_email_fault(v->text);
}

static const char *read_enum(struct param_value *v)
{
	for (const char *const *c = v->row.choices; *c; c++)
		if (strcmp(*c, v->text) == 0)
			return NULL;
	return "Please choose one of the list.";
}

static const char *read_certificates(struct param_value *v)
{
	static const char *const faults[] = {
		[CERTIFICATE_NONE] = "Not a certificate in PEM: it begins with -----BEGIN CERTIFICATE-----.",
		[CERTIFICATE_BROKEN] = "A certificate of these cannot be read: a part of it is missing, or was changed.",
		[CERTIFICATE_PRIVATE] = "There is a private key in this. It is not kept: paste the certificates alone.",
		[CERTIFICATE_OTHER] = "There is something else than certificates in this, such as a request for one: paste the certificates alone.",
	};
	char *tidy = NULL;
	enum certificate_fault f = certificate_tidy(v->text, &tidy);

	/* Nor shown again. */
	if (f == CERTIFICATE_PRIVATE)
		secret_wipe(v->text, strlen(v->text));
	if (f != CERTIFICATE_GOOD)
		return faults[f];
	free(v->text);
	v->text = tidy;
	return NULL;
}

static const char *read_json_text(struct param_value *v)
{
	json_error_t error;

	v->json = json_loads(v->text, JSON_REJECT_DUPLICATES, &error);
	return v->json ? NULL : "This is not well-formed JSON.";
}

static const char *check_length(const struct param_value *v, size_t len)
{
	size_t characters;

	if (!form_utf8(v->text, len, &characters) || strlen(v->text) != len)
		return garbled;
	if (v->row.type != PARAM_JSON && has_control(v->text, has_lines(v->row.type)))
		return "There are characters in this that cannot be shown.";
	if (v->row.type == PARAM_INT)
		return NULL;
	if ((int64_t)characters > v->row.most)
		return "This is too long: at most %{most} characters.";
	if ((v->row.type == PARAM_TEXT || v->row.type == PARAM_LINES) && (int64_t)characters < v->row.least)
		return "This is too short: at least %{least} characters.";
	return NULL;
}

static const char *read_text(struct param_value *v)
{
	switch (v->row.type) {
	case PARAM_INT:
		return read_int(v);
	case PARAM_BOOL:
		return read_bool(v);
	case PARAM_TIME:
		return read_time(v);
	case PARAM_EMAIL:
		return read_email(v);
	case PARAM_UUID:
		return uuid_parse(v->text, &v->id) < 0 ? "An id is needed here." : NULL;
	case PARAM_ENUM:
		return read_enum(v);
	case PARAM_CERTIFICATES:
		return read_certificates(v);
	case PARAM_JSON:
		return read_json_text(v);
	default:
		return NULL;
	}
}

/* TEXT is LEN bytes; the value keeps a copy. */
static void read_single(struct param_value *v, const char *text, size_t len)
{
	const char *wrong;

	if (v->text) {
		v->error = TWICE;
		return;
	}
	v->text = mem_dup(text, len);
	if (v->row.type != PARAM_LINES && v->row.type != PARAM_PASSWORD && v->row.type != PARAM_SECRET && strlen(v->text) == len) {
		trim(v->text);
		len = strlen(v->text);
	} else if (v->row.type == PARAM_LINES && strlen(v->text) == len) {
		unix_lines(v->text);
		len = strlen(v->text);
	}
	if (len == 0)
		return;
	v->given = 1;
	wrong = check_length(v, len);
	v->error = wrong ? wrong : read_text(v);
	/* What is garbled is not shown again. */
	if (wrong == garbled)
		*v->text = '\0';
}

static void read_one_of_list(struct param_value *v, const char *text, size_t len)
{
	size_t characters;

	if (len == 0 && v->row.type == PARAM_UUIDS)
		return;
	v->given = 1;
	if ((int64_t)v->count >= v->row.most) {
		v->error = "These are too many: at most %{most}.";
	} else if (!form_utf8(text, len, &characters) || strlen(text) != len || has_control(text, v->row.type == PARAM_TEXTS)) {
		v->error = garbled;
	} else if (v->row.type == PARAM_UUIDS) {
		v->ids = mem_grow(v->ids, v->count + 1, sizeof *v->ids);
		if (uuid_parse(text, &v->ids[v->count]) < 0)
			v->error = "An id is needed here.";
		else
			v->count++;
	} else if (characters > TEXTS_EACH_MAX) {
		v->error = "One of these is too long.";
	} else {
		v->texts = mem_grow(v->texts, v->count + 1, sizeof *v->texts);
		v->texts[v->count++] = mem_strdup(text);
	}
}

/* A second value of a name makes a list of it. */
static void put_field(json_t *object, const char *name, json_t *value)
{
	json_t *before = json_object_get(object, name);

	if (json_is_array(before))
		json_array_append_new(before, value);
	else
		json_object_set_new(object, name, before ? json_pack("[O, o]", before, value) : value);
}

static void read_one_of_fields(struct param_value *v, const char *name, const char *text, size_t len)
{
	size_t characters;
	char *plain;

	v->given = 1;
	if (v->json == NULL)
		v->json = json_object();
	if (!form_utf8(text, len, &characters) || strlen(text) != len || has_control(text, 1)) {
		v->error = garbled;
	} else if ((int64_t)characters > v->row.most) {
		v->error = "One of these is too long.";
	} else {
		plain = mem_strdup(text);
		unix_lines(plain);
		trim(plain);
		put_field(v->json, name, json_string(plain));
		free(plain);
	}
}

static void read_json_fields(struct param_value *v, const json_t *value)
{
	const char *name;
	json_t *entry;

	if (!json_is_object(value)) {
		v->error = "An object is needed here.";
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)value, name, entry) {
		size_t i, n = json_is_array(entry) ? json_array_size(entry) : 1;

		for (i = 0; i < n && !v->error; i++) {
			const json_t *one = json_is_array(entry) ? json_array_get(entry, i) : entry;

			if (json_is_string(one))
				read_one_of_fields(v, name, json_string_value(one), json_string_length(one));
			else
				v->error = "Texts are needed here.";
		}
	}
}

static void read_json_list(struct param_value *v, const json_t *list)
{
	size_t i;
	json_t *entry;

	if (!json_is_array(list)) {
		v->error = "A list is needed here.";
		return;
	}
	v->given = 1;
	json_array_foreach(list, i, entry) {
		if (json_is_string(entry))
			read_one_of_list(v, json_string_value(entry), json_string_length(entry));
		else
			v->error = "A list of texts is needed here.";
		if (v->error)
			return;
	}
}

static void read_json(struct param_value *v, json_t *value)
{
	char number[32];

	if (json_is_null(value))
		return;
	if (v->row.type == PARAM_FIELDS) {
		read_json_fields(v, value);
	} else if (is_list(v)) {
		read_json_list(v, value);
	} else if (v->row.type == PARAM_JSON && !json_is_string(value)) {
		v->given = 1;
		v->json = json_incref(value);
		if (!json_is_object(value) && !json_is_array(value))
			v->error = "An object or a list is needed here.";
	} else if (json_is_string(value) && v->row.type != PARAM_INT && v->row.type != PARAM_BOOL) {
		read_single(v, json_string_value(value), json_string_length(value));
	} else if (json_is_integer(value) && v->row.type == PARAM_INT) {
		read_single(v, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value)));
	} else if (json_is_boolean(value) && v->row.type == PARAM_BOOL) {
		read_single(v, json_is_true(value) ? "true" : "false", json_is_true(value) ? 4 : 5);
	} else {
		v->error = v->row.type == PARAM_INT ? "A whole number is needed here." :
			v->row.type == PARAM_BOOL ? "Yes or no is needed here." : "A text is needed here.";
	}
}

static void read_field(struct param_value *v, struct form_field *field)
{
	if (field->source == FORM_JSON)
		read_json(v, field->json);
	else if (v->row.type == PARAM_FIELDS)
		read_one_of_fields(v, field->name + strlen(v->row.name) + 1, field->value, field->len);
	else if (is_list(v))
		read_one_of_list(v, field->value, field->len);
	else
		read_single(v, field->value, field->len);
}

static void declare(struct params *p, const struct route_param *row)
{
	struct param_value *v = &p->values[p->count++];

	v->row = *row;
	if (v->row.most == 0)
		v->row.most = standard_most[row->type];
}

static int declare_all(struct params *p, const struct route *row, const struct route_match *match)
{
	size_t n = 0;

	while (row->params && row->params[n].name)
		n++;
	if (n > ROUTE_PARAMS_MAX)
		return err_set(ERR_INTERNAL, "%s has too many parameters", row->path);
	p->values = mem_array(n + match->count + 1, sizeof *p->values);
	for (size_t i = 0; i < n; i++)
		declare(p, &row->params[i]);
	return 0;
}

/* Segments are looked up by name; names that no parameter mentions are ids. */
static int read_path(struct params *p, const struct route_match *match, struct form *f)
{
	static const struct route_param id = { "", NULL, PARAM_UUID, PARAM_REQUIRED, 0, 0, NULL };

	for (size_t i = 0; i < match->count; i++) {
		struct param_value *v;
		int rc = form_add(f, match->segments[i].name, match->segments[i].name_len, match->segments[i].value,
			match->segments[i].value_len, FORM_PATH);

		if (rc < 0)
			return err_set(ERR_NOT_FOUND, "broken path");
		v = params_find(p, f->fields[f->count - 1].name);
		if (v == NULL) {
			declare(p, &id);
			v = &p->values[p->count - 1];
			v->row.name = f->fields[f->count - 1].name;
		}
		read_field(v, &f->fields[f->count - 1]);
		if (!v->given || v->error)
			return err_set(ERR_NOT_FOUND, "no such path");
	}
	return 0;
}

/* What a field of a form belongs to: the parameter of its name, or the one that takes all names of its kind. */
static struct param_value *find_for(const struct params *p, const struct form_field *field)
{
	struct param_value *v = params_find(p, field->name);

	if (v)
		return v->row.type == PARAM_FIELDS && field->source != FORM_JSON ? NULL : v;
	for (size_t i = 0; i < p->count && field->source == FORM_BODY; i++) {
		size_t len = strlen(p->values[i].row.name);

		if (p->values[i].row.type == PARAM_FIELDS && strncmp(field->name, p->values[i].row.name, len) == 0 && field->name[len] == '.')
			return &p->values[i];
	}
	return NULL;
}

static int read_fields(struct params *p, struct form *f, int strict)
{
	for (size_t i = 0; i < f->count; i++) {
		struct param_value *v = find_for(p, &f->fields[i]);

		if (f->fields[i].source == FORM_PATH)
			continue;
		if (v)
			read_field(v, &f->fields[i]);
		else if (strict && strcmp(f->fields[i].name, "csrf") != 0)
			return err_set(ERR_INVALID, "there is no parameter \"%s\"", f->fields[i].name);
	}
	return 0;
}

static void check_counts(struct params *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct param_value *v = &p->values[i];

		if (!v->error && is_list(v) && (v->given || v->row.flags & PARAM_REQUIRED) && (int64_t)v->count < v->row.least)
			v->error = "At least %{least} of these are needed.";
		if (!v->error && !v->given && v->row.flags & PARAM_REQUIRED)
			v->error = NEEDED;
		p->errors += v->error != NULL;
	}
}

int params_read(struct params *p, const struct route *row, const struct route_match *match, struct form *f, int strict)
{
	int rc = declare_all(p, row, match);

	if (rc == 0)
		rc = read_path(p, match, f);
	if (rc == 0)
		rc = read_fields(p, f, strict);
	check_counts(p);
	return rc;
}

void params_free(struct params *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct param_value *v = &p->values[i];

		if (v->text)
			secret_wipe(v->text, strlen(v->text));
		free(v->text);
		for (size_t k = 0; v->texts && k < v->count; k++)
			free(v->texts[k]);
		free(v->texts);
		free(v->ids);
		json_decref(v->json);
	}
	free(p->values);
	*p = (struct params){ NULL, 0, 0 };
}

struct param_value *params_find(const struct params *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->values[i].row.name, name) == 0)
			return &p->values[i];
	return NULL;
}

void param_error_text(const struct param_value *v, const char *text, struct buf *out)
{
	while (*text) {
		if (strncmp(text, "%{least}", 8) == 0) {
			buf_printf(out, "%lld", (long long)v->row.least);
			text += 8;
		} else if (strncmp(text, "%{most}", 7) == 0) {
			buf_printf(out, "%lld", (long long)v->row.most);
			text += 7;
		} else if (strncmp(text, "%{label}", 8) == 0) {
			buf_puts(out, v->row.label ? v->row.label : v->row.name);
			text += 8;
		} else {
			buf_putc(out, *text++);
		}
	}
}
