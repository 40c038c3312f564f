/* provider_pkcs11.c - the root key inside a token (HSM) that speaks PKCS #11 v2.40: an AES-256 key that never leaves it, which wraps and
 * unwraps by CKM_AES_GCM. Runs in a child of keyd (keeper.h).
 *
 * Where: an RFC 7512 URI, "pkcs11:token=NAME;object=LABEL?module-path=FILE&pin-source=FILE". object: "keyward-root" when it is not
 * said. Without pin-source keyd starts sealed and `keyward unseal` takes the PIN. The key's CKA_ID is the root key's id.
 *
 * Tokens count wrong PINs and lock. So one that was refused is forgotten and none is tried until a person tells one; and as a restart forgets
 * that, one from a file is not tried either while the token says that a wrong one was the last. */
#include <dlfcn.h>
#include <openssl/rand.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/keyfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/provider.h"

#define KEY_LABEL "keyward-root"
#define PIN_MAX 256
#define SLOTS_MAX 64

/* PKCS #11 v2.40, 2.12.3; p11-kit's header does not have it. */
struct gcm_params {
	CK_BYTE_PTR iv;
	CK_ULONG iv_len, iv_bits;
	CK_BYTE_PTR aad;
	CK_ULONG aad_len, tag_bits;
};

struct provider_root {
	P11KitUri *uri;
	char *module_path;
	void *module;
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE session;       /* 0: none */
	CK_OBJECT_HANDLE key;
	struct uuid id;                  /* nil while it is not known */
	struct secret *pin;              /* NULL: nobody has told it, or it was refused */
	int pin_by_person;               /* who sees what comes of it; or it has opened before */
	int may_create;
	char why[PROVIDER_WHY_SIZE];     /* there is no session */
	enum keys_cause cause;
};

/* Read before the child becomes keyd's user. */
static struct secret *file_pin;

static int parse(const char *location, P11KitUri **out)
{
	P11KitUri *uri = p11_kit_uri_new();
	int bad = p11_kit_uri_parse(location, P11_KIT_URI_FOR_ANY, uri);

	if (bad != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(uri)) {
		err_set(ERR_INVALID, "%s: %s", location, bad ? p11_kit_uri_message(bad) : "parts that are not known");
	} else if (p11_kit_uri_get_module_path(uri) == NULL) {
		err_set(ERR_INVALID, "%s: module-path is missing", location);
	} else {
		*out = uri;
		return 0;
	}
	p11_kit_uri_free(uri);
	return ERR_INVALID;
}

static int prepare(const struct provider_options *options)
{
	P11KitUri *uri = NULL;
	const char *source;
	int rc = parse(options->location, &uri);

	if (rc < 0)
		return rc;
	source = p11_kit_uri_get_pin_source(uri);
	if (source)
		rc = keyfile_read(strncmp(source, "file:", 5) == 0 ? source + 5 : source, PIN_MAX, &file_pin);
	p11_kit_uri_free(uri);
	/* An editor's newline is not part of a PIN. */
	while (rc == 0 && file_pin && file_pin->len && file_pin->data[file_pin->len - 1] == '\n')
		file_pin->len--;
	return rc;
}

static const struct {
	CK_RV rv;
	int code, relogin;       /* relogin: the session is of no use any more */
	const char *text;
} meanings[] = {
	{ CKR_PIN_INCORRECT, ERR_FORBIDDEN, 1, "the PIN is wrong" },
	{ CKR_PIN_LEN_RANGE, ERR_FORBIDDEN, 1, "the PIN is wrong" },
	{ CKR_PIN_INVALID, ERR_FORBIDDEN, 1, "the PIN is wrong" },
	{ CKR_PIN_LOCKED, ERR_FORBIDDEN, 1, "the PIN is locked after too many wrong ones: the token's security officer can reset it" },
	{ CKR_PIN_EXPIRED, ERR_FORBIDDEN, 1, "the PIN has expired" },
	{ CKR_TOKEN_NOT_PRESENT, ERR_UNAVAILABLE, 1, "the token is not there" },
	{ CKR_TOKEN_NOT_RECOGNIZED, ERR_UNAVAILABLE, 1, "the token is not recognized" },
	{ CKR_DEVICE_REMOVED, ERR_UNAVAILABLE, 1, "the token was removed" },
	{ CKR_DEVICE_ERROR, ERR_UNAVAILABLE, 1, "the token reports an error" },
	{ CKR_DEVICE_MEMORY, ERR_UNAVAILABLE, 1, "the token has no memory left" },
	{ CKR_SESSION_HANDLE_INVALID, ERR_UNAVAILABLE, 1, "the token's session is lost" },
	{ CKR_SESSION_CLOSED, ERR_UNAVAILABLE, 1, "the token's session is lost" },
	{ CKR_USER_NOT_LOGGED_IN, ERR_UNAVAILABLE, 1, "the token has logged us out" },
	{ CKR_KEY_HANDLE_INVALID, ERR_UNAVAILABLE, 1, "the token does not find its key any more" },
	{ CKR_OBJECT_HANDLE_INVALID, ERR_UNAVAILABLE, 1, "the token does not find its key any more" },
	{ CKR_ENCRYPTED_DATA_INVALID, ERR_TAMPERED, 0, "not wrapped by this key under this label" },
	{ CKR_ENCRYPTED_DATA_LEN_RANGE, ERR_TAMPERED, 0, "not wrapped by this key under this label" },
	{ CKR_GENERAL_ERROR, ERR_CRYPTO, 0, "the token says no more than that it failed" },
	{ CKR_FUNCTION_FAILED, ERR_CRYPTO, 0, "the token says no more than that it failed" },
	{ CKR_MECHANISM_INVALID, ERR_UNSUPPORTED, 0, "the token cannot do AES-GCM" },
};

/* What the token says when it or the session is away: it may work later. */
static int is_passing(CK_RV rv)
{
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].rv == rv)
			return meanings[i].code == ERR_UNAVAILABLE;
	return 0;
}

static void lose(struct provider_root *r)
{
	if (r->session) {
		r->f->C_Logout(r->session);
		r->f->C_CloseSession(r->session);
	}
	r->session = 0;
}

/* 0, or the code of what the token said to WHAT; the session is given up where it is of no use any more. */
static int check(struct provider_root *r, CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		if (meanings[i].rv != rv)
			continue;
		if (meanings[i].relogin)
			lose(r);
		return err_set(meanings[i].code, "%s: %s", what, meanings[i].text);
	}
	lose(r);
	return err_set(ERR_UNAVAILABLE, "%s: PKCS #11 error 0x%lx", what, rv);
}

static int load_module(struct provider_root *r)
{
	CK_RV (*list)(CK_FUNCTION_LIST **);
	CK_RV rv;

	r->module = dlopen(r->module_path, RTLD_NOW | RTLD_LOCAL);
	*(void **)&list = r->module ? dlsym(r->module, "C_GetFunctionList") : NULL;
	if (list == NULL || list(&r->f) != CKR_OK) {
		err_set(ERR_UNAVAILABLE, "%s is no PKCS #11 module: %s", r->module_path, r->module ? "no C_GetFunctionList" : dlerror());
		if (r->module)
			dlclose(r->module);
		r->module = NULL;
		r->f = NULL;
		return ERR_UNAVAILABLE;
	}
	rv = r->f->C_Initialize(NULL);
	return rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? 0 : check(r, rv, "C_Initialize");
}

/* A token that was put back is seen by some modules only when they start anew; where their folder is missing, they do not start at all. */
static int restart_module(struct provider_root *r)
{
	if (r->f == NULL)
		return load_module(r);
	r->session = 0;
	r->f->C_Finalize(NULL);
	return check(r, r->f->C_Initialize(NULL), "C_Initialize");
}

/* *FLAGS: what the token says of itself. */
static int find_slot(struct provider_root *r, CK_SLOT_ID *out, CK_FLAGS *flags)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	CK_TOKEN_INFO info;
	int rc = check(r, r->f->C_GetSlotList(CK_TRUE, slots, &count), "slots");

	for (CK_ULONG i = 0; rc == 0 && i < count; i++) {
		if (r->f->C_GetTokenInfo(slots[i], &info) == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED)
			&& p11_kit_uri_match_token_info(r->uri, &info)) {
			*out = slots[i];
			*flags = info.flags;
			return 0;
		}
	}
	return rc < 0 ? rc : err_set(ERR_UNAVAILABLE, "the token is not there");
}

/* The name that the URI gives the key, or the usual one. */
static CK_ATTRIBUTE label_of(const struct provider_root *r)
{
	static char standard[] = KEY_LABEL;
	const CK_ATTRIBUTE *given = p11_kit_uri_get_attribute(r->uri, CKA_LABEL);

	return given ? *given : (CK_ATTRIBUTE){ CKA_LABEL, standard, strlen(standard) };
}

/* Another key of that name, or another token, is not the one in use: what it wrapped nobody would open later. */
static int take_id(struct provider_root *r, const struct uuid *has)
{
	int rc = provider_check(&r->id, has);

	if (rc < 0)
		r->cause = KEYS_CAUSE_OTHER_KEY;
	else
		r->id = *has;
	return rc < 0 ? err_wrap(rc, "token") : 0;
}

static int find_key(struct provider_root *r)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE which[] = { { CKA_CLASS, &class, sizeof class }, label_of(r) };
	struct uuid has;
	CK_ATTRIBUTE id = { CKA_ID, has.bytes, sizeof has.bytes };
	CK_OBJECT_HANDLE found[2];
	CK_ULONG count = 0;
	int rc;

	rc = check(r, r->f->C_FindObjectsInit(r->session, which, ARRAY_LEN(which)), "looking for the root key");
	if (rc == 0)
		rc = check(r, r->f->C_FindObjects(r->session, found, 2, &count), "looking for the root key");
	if (r->session)
		r->f->C_FindObjectsFinal(r->session);
	if (rc < 0)
		return rc;
	if (count == 0)
		return err_set(ERR_NOT_FOUND, "the token has no such key");
	if (count > 1)
		return err_set(ERR_CONFLICT, "the token has more than one key of that name");
	r->key = found[0];
	rc = check(r, r->f->C_GetAttributeValue(r->session, r->key, &id, 1), "the root key's id");
	if (rc == 0 && id.ulValueLen != sizeof has.bytes)
		return err_set(ERR_INVALID, "the key's CKA_ID is not 16 bytes: it was not made by Keyward");
	return rc < 0 ? rc : take_id(r, &has);
}

static int make_key(struct provider_root *r)
{
	struct uuid id = uuid_new();
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG size = BLOB_KEY_SIZE;
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE wanted[] = { { CKA_TOKEN, &yes, sizeof yes }, { CKA_PRIVATE, &yes, sizeof yes }, { CKA_SENSITIVE, &yes, sizeof yes },
		{ CKA_EXTRACTABLE, &no, sizeof no }, { CKA_ENCRYPT, &yes, sizeof yes }, { CKA_DECRYPT, &yes, sizeof yes },
		{ CKA_VALUE_LEN, &size, sizeof size }, { CKA_ID, id.bytes, sizeof id.bytes }, label_of(r) };

	return check(r, r->f->C_GenerateKey(r->session, &mechanism, wanted, ARRAY_LEN(wanted), &r->key), "making the root key");
}

static void forget_pin(struct provider_root *r, enum keys_cause cause)
{
	secret_free(r->pin);
	r->pin = NULL;
	r->pin_by_person = 0;
	r->cause = cause;
}

/* Whether the PIN may be tried at a token that says FLAGS of itself. */
static int may_try_pin(struct provider_root *r, CK_FLAGS flags)
{
	if (flags & CKF_USER_PIN_LOCKED) {
		forget_pin(r, KEYS_CAUSE_PIN_LOCKED);
		return err_set(ERR_FORBIDDEN, "the PIN is locked after too many wrong ones: the token's security officer can reset it");
	}
	if (r->pin == NULL)
		return err_set(ERR_SEALED, "nobody has told the PIN");
	if (!r->pin_by_person && flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY)) {
		forget_pin(r, KEYS_CAUSE_PIN_REFUSED);
		return err_set(ERR_FORBIDDEN, "the last PIN that the token was given was wrong%s, so the one in the file is not tried: a person tells "
			"the right one", flags & CKF_USER_PIN_FINAL_TRY ? ", and the next wrong one locks it" : "");
	}
	return 0;
}

/* What the token said to the PIN. Only where it was plainly away the same PIN is tried again later; a general failure counts as that for
 * a PIN that has opened before. */
static int judge_login(struct provider_root *r, CK_SLOT_ID slot, CK_RV rv)
{
	int passing = is_passing(rv) || (r->pin_by_person && (rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED));
	CK_TOKEN_INFO info = { .flags = 0 };
	char said[PROVIDER_WHY_SIZE];
	int rc;

	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return 0;
	rc = check(r, rv, "logging in");
	lose(r);
	snprintf(said, sizeof said, "%s", err_text());
	if (r->f->C_GetTokenInfo(slot, &info) != CKR_OK)
		info.flags = 0;
	if (passing && !(info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED)))
		return rc;
	forget_pin(r, rv == CKR_PIN_LOCKED || info.flags & CKF_USER_PIN_LOCKED ? KEYS_CAUSE_PIN_LOCKED : KEYS_CAUSE_PIN_REFUSED);
	return err_set(ERR_FORBIDDEN, "%s%s", said, info.flags & CKF_USER_PIN_LOCKED ? "; it is locked now" : info.flags & CKF_USER_PIN_FINAL_TRY ?
		"; the next wrong one locks it" : "");
}

/* A session, logged in, with the key. */
static int log_in(struct provider_root *r)
{
	CK_SLOT_ID slot;
	CK_FLAGS flags = 0;
	int rc = find_slot(r, &slot, &flags);

	/* Without a PIN nothing is tried; but that it is locked is to be known before people are asked for it. */
	if (rc == 0 || r->pin == NULL)
		rc = may_try_pin(r, flags);
	if (rc == 0)
		rc = check(r, r->f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &r->session), "session");
	if (rc == 0)
		rc = judge_login(r, slot, r->f->C_Login(r->session, CKU_USER, r->pin->data, r->pin->len));
	if (rc < 0)
		return rc;
	r->pin_by_person = 1;
	rc = find_key(r);
	if (rc == ERR_NOT_FOUND && r->may_create) {
		rc = make_key(r);
		if (rc == 0)
			rc = find_key(r);
	}
	if (rc < 0)
		lose(r);
	else
		r->may_create = 0;
	return rc;
}

/* From whatever state it is in. */
static int connect_token(struct provider_root *r)
{
	int rc;

	r->cause = r->pin ? KEYS_CAUSE_TOKEN : KEYS_CAUSE_PIN;
	rc = restart_module(r);
	if (rc == 0)
		rc = log_in(r);
	snprintf(r->why, sizeof r->why, "%s", rc < 0 ? err_text() : "");
	return rc;
}

static void pkcs11_close(struct provider_root *r)
{
	if (r == NULL)
		return;
	lose(r);
	if (r->f)
		r->f->C_Finalize(NULL);
	secret_free(r->pin);
	p11_kit_uri_free(r->uri);
	free(r->module_path);
	free(r);
}

static void take_pin(struct provider_root *r, const struct secret *pin)
{
	secret_free(r->pin);
	r->pin = secret_new(pin->len);
	memcpy(r->pin->data, pin->data, pin->len);
	r->pin_by_person = 1;
}

/* What a token or its module does not give now it may give later; but a first start that makes no key would leave nothing to come back to. */
static int pkcs11_open(const struct provider_options *options, struct provider_root **out)
{
	struct provider_root *r = mem_alloc(sizeof *r);
	int rc = parse(options->location, &r->uri);

	if (rc == 0) {
		r->module_path = mem_strdup(p11_kit_uri_get_module_path(r->uri));
		r->may_create = options->may_create;
		r->id = options->wanted;
		r->pin = file_pin;
		file_pin = NULL;
		r->pin_by_person = options->by_person;
		if (options->passphrase)
			take_pin(r, options->passphrase);
		rc = connect_token(r);
		if (rc < 0 && !options->may_create) {
			log_warning("sealed", "reason", err_text(), NULL);
			rc = 0;
		}
	}
	if (rc == 0)
		*out = r;
	else
		pkcs11_close(r);
	return rc == ERR_SEALED ? err_set(ERR_NOT_FOUND, "there is no root key yet: make one with `keyward-keyd --create`, or name a "
		"pin-source") : rc;
}

static int pkcs11_is_sealed(struct provider_root *r)
{
	return r->session == 0;
}

static void pkcs11_retry(struct provider_root *r)
{
	if (r->session || r->pin == NULL)
		return;
	if (connect_token(r) < 0)
		log_debug("the token is not back", "reason", err_text(), NULL);
}

static int pkcs11_unseal(struct provider_root *r, const struct secret *pin)
{
	if (r->session)
		return 0;
	take_pin(r, pin);
	return connect_token(r);
}

static void pkcs11_seal(struct provider_root *r)
{
	forget_pin(r, KEYS_CAUSE_PIN);
	lose(r);
	snprintf(r->why, sizeof r->why, "it was sealed");
}

static enum keys_cause pkcs11_cause(const struct provider_root *r)
{
	return r->session ? KEYS_CAUSE_NONE : r->cause;
}

static const char *pkcs11_why(const struct provider_root *r)
{
	return r->why;
}

/* Tag included. OUT has room for LEN + BLOB_TAG_SIZE. */
static int gcm(struct provider_root *r, int encrypt, const uint8_t *nonce, const struct buf *aad, const uint8_t *in, size_t len,
	uint8_t *out, CK_ULONG *out_len)
{
	uint8_t iv[BLOB_NONCE_SIZE];
	struct gcm_params params = { iv, sizeof iv, sizeof iv * 8, (CK_BYTE_PTR)aad->data, aad->len, BLOB_TAG_SIZE * 8 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
	union { const uint8_t *read; CK_BYTE_PTR write; } from = { .read = in };
	const char *what = encrypt ? "wrapping" : "unwrapping";
	int rc;

	memcpy(iv, nonce, sizeof iv);
	if (r->session == 0)
		return err_set(ERR_SEALED, "the token is not at hand");
	rc = check(r, encrypt ? r->f->C_EncryptInit(r->session, &mechanism, r->key) : r->f->C_DecryptInit(r->session, &mechanism, r->key),
		what);
	if (rc == 0)
		rc = check(r, encrypt ? r->f->C_Encrypt(r->session, from.write, len, out, out_len)
			: r->f->C_Decrypt(r->session, from.write, len, out, out_len), what);
	return rc;
}

static int pkcs11_wrap(struct provider_root *r, const struct blob_label *label, const struct secret *plain, struct buf *out)
{
	struct buf aad = BUF_INIT;
	CK_ULONG len = plain->len + BLOB_TAG_SIZE;
	uint8_t *at;
	int rc;

	blob_associated(label, &r->id, &aad);
	buf_reset(out);
	wire_put_u8(out, BLOB_VERSION);
	wire_put_uuid(out, &r->id);
	at = buf_extend(out, BLOB_NONCE_SIZE + len);
	rc = RAND_bytes(at, BLOB_NONCE_SIZE) == 1 ? 0 : err_set(ERR_CRYPTO, "no random numbers");
	if (rc == 0)
		rc = gcm(r, 1, at, &aad, plain->data, plain->len, at + BLOB_NONCE_SIZE, &len);
	if (rc == 0 && len != plain->len + BLOB_TAG_SIZE)
		rc = err_set(ERR_CRYPTO, "the token gave %lu bytes", len);
	if (rc < 0)
		buf_reset(out);
	buf_free(&aad);
	return rc;
}

/* What an altered blob gives differs from module to module. A token that still encrypts has refused the blob; one that does not is
 * lost. */
static int judge(struct provider_root *r)
{
	static const struct blob_label nothing = { .purpose = "rehearsal" };
	struct secret *plain = secret_new(16);
	struct buf out = BUF_INIT;
	int rc = pkcs11_wrap(r, &nothing, plain, &out);

	secret_free(plain);
	buf_free(&out);
	if (rc == 0)
		return err_set(ERR_TAMPERED, "not wrapped by this key under this label");
	lose(r);
	return err_set(ERR_UNAVAILABLE, "the token fails");
}

static int pkcs11_unwrap(struct provider_root *r, const struct blob_label *label, struct wire_view blob, struct secret **plain)
{
	struct wire_reader in = wire_read(blob.data, blob.len);
	uint8_t version = wire_get_u8(&in);
	struct uuid id = wire_get_uuid(&in);
	struct wire_view nonce = wire_get_raw(&in, BLOB_NONCE_SIZE);
	struct buf aad = BUF_INIT;
	struct secret *got;
	CK_ULONG len;
	int rc;

	if (r->session == 0)
		return err_set(ERR_SEALED, "the token is not at hand");
	if (in.error || version != BLOB_VERSION || !uuid_equal(&id, &r->id) || in.left < BLOB_TAG_SIZE)
		return err_set(ERR_TAMPERED, "not wrapped by this key under this label");
	blob_associated(label, &r->id, &aad);
	/* Some modules want room for the tag too. */
	len = in.left;
	got = secret_new(len);
	rc = gcm(r, 0, nonce.data, &aad, in.at, in.left, got->data, &len);
	buf_free(&aad);
	if (rc == ERR_CRYPTO)
		rc = judge(r);
	if (rc == 0 && len != in.left - BLOB_TAG_SIZE)
		rc = err_set(ERR_CRYPTO, "the token gave %lu bytes", len);
	if (rc == 0)
		*plain = secret_take(got->data, len);
	secret_free(got);
	return rc;
}

static void pkcs11_describe(const struct provider_root *r, struct uuid *id)
{
	*id = r->id;
}

const struct provider provider_pkcs11 = {
	.name = "pkcs11",
	.apart = 1,
	.prepare = prepare,
	.open = pkcs11_open,
	.is_sealed = pkcs11_is_sealed,
	.why = pkcs11_why,
	.cause = pkcs11_cause,
	.unseal = pkcs11_unseal,
	.seal = pkcs11_seal,
	.retry = pkcs11_retry,
	.wrap = pkcs11_wrap,
	.unwrap = pkcs11_unwrap,
	.describe = pkcs11_describe,
	.close = pkcs11_close,
};
