/* licence.c - activation codes taken apart and judged. */
#include "base/licence.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"

#define VERSION 1

static const struct {
	enum licence_kind kind;
	const char *name, *label;
} kinds[] = {
#define X(id, number, name, label) { LICENCE_##id, name, label },
	LICENCE_KINDS(X)
#undef X
};

static const char *const faults[] = {
#define X(id, text) text,
	LICENCE_FAULTS(X)
#undef X
};

static const struct {
	const char *name, *what;
	int level;
	const char *kind, *text;
} warnings[] = {
#define X(id, name, what, level, kind, text) { name, what, level, kind, text },
	LICENCE_WARNINGS(X)
#undef X
};

const char *licence_kind_name(enum licence_kind k)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].kind == k)
			return kinds[i].name;
	return "";
}

const char *licence_kind_label(enum licence_kind k)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].kind == k)
			return kinds[i].label;
	return "";
}

int licence_kind_parse(const char *name, enum licence_kind *out)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			*out = kinds[i].kind;
			return 0;
		}
	}
	return err_set(ERR_INVALID, "a licence is trial or full");
}

static void put_payload(const struct licence *l, struct buf *out)
{
	wire_put_u8(out, VERSION);
	wire_put_u8(out, (uint8_t)l->kind);
	wire_put_uuid(out, &l->installation);
	wire_put_uuid(out, &l->account);
	wire_put_u32(out, l->serial);
	wire_put_u32(out, l->keys);
	wire_put_u64(out, (uint64_t)(l->issued / CLOCK_SECOND));
	wire_put_u64(out, (uint64_t)(l->until / CLOCK_SECOND));
}

void licence_signed(const struct licence *l, struct buf *out)
{
	buf_puts(out, LICENCE_CONTEXT);
	put_payload(l, out);
}

char *licence_text(const struct licence *l, const uint8_t signature[static LICENCE_SIGNATURE_SIZE])
{
	struct buf bytes = BUF_INIT;
	char *encoded, *text;

	put_payload(l, &bytes);
	wire_put_raw(&bytes, signature, LICENCE_SIGNATURE_SIZE);
	encoded = encode_base64url(bytes.data, bytes.len);
	text = mem_printf(LICENCE_PREFIX "%s", encoded);
	free(encoded);
	buf_free(&bytes);
	return text;
}

/* Seconds that fit into our microseconds. */
static clock_us seconds(struct wire_reader *r)
{
	uint64_t s = wire_get_u64(r);

	if (s > (uint64_t)(INT64_MAX / CLOCK_SECOND / 2) && r->error == 0)
		r->error = ERR_INVALID;
	return r->error ? 0 : (clock_us)s * CLOCK_SECOND;
}

static int read_bytes(const struct buf *bytes, struct licence *out, uint8_t signature[static LICENCE_SIGNATURE_SIZE])
{
	struct wire_reader r = wire_read(bytes->data, bytes->len);
	uint8_t version = wire_get_u8(&r);
	struct licence l;
	struct wire_view v;

	if (version > VERSION)
		return err_set(ERR_VERSION, "an activation code of a later form");
	l.kind = (enum licence_kind)wire_get_u8(&r);
	l.installation = wire_get_uuid(&r);
	l.account = wire_get_uuid(&r);
	l.serial = wire_get_u32(&r);
	l.keys = wire_get_u32(&r);
	l.issued = seconds(&r);
	l.until = seconds(&r);
	v = wire_get_raw(&r, LICENCE_SIGNATURE_SIZE);
	if (wire_end(&r) < 0 || version != VERSION || *licence_kind_name(l.kind) == '\0' || l.serial == 0 || l.serial > INT32_MAX || l.keys > LICENCE_KEYS_MAX)
		return err_set(ERR_INVALID, "not an activation code");
	memcpy(signature, v.data, LICENCE_SIGNATURE_SIZE);
	*out = l;
	return 0;
}

int licence_read(const char *text, struct licence *out, uint8_t signature[static LICENCE_SIGNATURE_SIZE])
{
	char plain[LICENCE_TEXT_MAX + 1];
	struct buf bytes = BUF_INIT;
	size_t len = 0;
	int rc;

	for (; *text && len < LICENCE_TEXT_MAX; text++)
		if (!strchr(" \t\r\n", *text))
			plain[len++] = *text;
	plain[len] = '\0';
	if (*text || strncmp(plain, LICENCE_PREFIX, strlen(LICENCE_PREFIX)) != 0)
		return err_set(strncmp(plain, "KWL", 3) == 0 && plain[3] > '1' && plain[3] <= '9' ? ERR_VERSION : ERR_INVALID,
			"not an activation code");
	rc = decode_base64url(plain + strlen(LICENCE_PREFIX), &bytes);
	if (rc == 0)
		rc = read_bytes(&bytes, out, signature);
	buf_free(&bytes);
	return rc;
}

int licence_is_signed(const struct licence *l, const uint8_t signature[static LICENCE_SIGNATURE_SIZE],
	const uint8_t public_key[static LICENCE_PUBLIC_SIZE])
{
	struct buf bytes = BUF_INIT;
	int good;

	licence_signed(l, &bytes);
	good = crypto_sign_verify_detached(signature, (const uint8_t *)bytes.data, bytes.len, public_key) == 0;
	buf_free(&bytes);
	return good;
}

enum licence_fault licence_judge(const struct licence *l, int is_signed, const struct uuid *installation, const struct uuid *account,
	uint32_t present, int had, clock_us now)
{
	if (!uuid_equal(&l->installation, installation))
		return LICENCE_FAULT_FOREIGN;
	if (!is_signed)
		return LICENCE_FAULT_BAD;
	if (!uuid_equal(&l->account, account))
		return LICENCE_FAULT_OTHER;
	if (l->serial == present)
		return LICENCE_FAULT_SAME;
	if (had)
		return LICENCE_FAULT_REPLACED;
	if (l->serial < present)
		return LICENCE_FAULT_OLDER;
	return now >= l->until ? LICENCE_FAULT_EXPIRED : LICENCE_FAULT_NONE;
}

const char *licence_fault_text(enum licence_fault f)
{
	return faults[f];
}

enum licence_warning licence_warn_of(const char *what, int level)
{
	for (size_t i = 0; i < ARRAY_LEN(warnings); i++)
		if (warnings[i].level == level && strcmp(warnings[i].what, what) == 0)
			return (enum licence_warning)i;
	return LICENCE_WARNING_NONE;
}

enum licence_warning licence_warn(const struct licence_state *s)
{
	enum licence_warning keys = licence_warn_of("keys", s->level_keys), end = licence_warn_of("end", s->level_end);

	return !s->has ? LICENCE_WARNING_MISSING : keys > end ? keys : end;
}

const char *licence_warning_name(enum licence_warning w)
{
	return warnings[w].name;
}

const char *licence_warning_kind(enum licence_warning w)
{
	return warnings[w].kind;
}

const char *licence_warning_text(enum licence_warning w)
{
	return warnings[w].text;
}

const char *licence_refusal(const struct licence_state *s, int64_t want, clock_us now)
{
	if (!s->has)
		return "The account has no licence, so no device can be encrypted. An Account Administrator enters an activation code under "
			"Product License.";
	if (now >= s->until)
		return "The account's licence has ended, so no further device can be encrypted. Devices that are encrypted get their keys as ever. "
			"An Account Administrator enters a new activation code under Product License.";
	if (s->used + s->pending + want > s->keys)
		return "The account's licence has no key left for this, so no further device can be encrypted. Unconfigure devices that are not "
			"needed any more, or an Account Administrator enters a larger activation code under Product License.";
	return NULL;
}
