/* provider_kmip.c - the root key on a KMIP server: an AES-256 key that wraps and unwraps there by AES-GCM and never leaves it; or, where the
 * server cannot do that and hold=yes allows it, a key that is fetched and held in memory. Runs in a child of keyd (keeper.h).
 *
 * Where: "kmip://HOST[:PORT]?ca=FILE&certificate=FILE&key=FILE[&name=NAME|&id=ID][&hold=yes]". name: "keyward-root" when neither is said.
 * The root key's id is made of the server's unique identifier for the key. */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/keyfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/kmip.h"
#include "keys/provider.h"

#define KEY_NAME "keyward-root"
#define LIMIT_MS 4000            /* for one exchange; keeper.c waits for 10 seconds */
#define LOCATION_MAX 2048

struct place {
	struct kmip_settings server;
	char *ca, *certificate, *key;    /* files */
	char *name, *id;
	int hold;
};

struct provider_root {
	struct place at;
	struct kmip *k;                  /* NULL: away */
	struct secret *held;             /* with hold=yes */
	char key[KMIP_ID_MAX + 1];       /* the server's name for it; "" until it was found */
	struct uuid id;                  /* nil while it is not known */
	int may_create;
	char why[PROVIDER_WHY_SIZE];     /* it is sealed */
	enum keys_cause cause;
};

/* Read before the child becomes keyd's user. */
static struct kmip_settings file_settings;

static void place_free(struct place *p)
{
	kmip_settings_free(&p->server);
	free(p->ca);
	free(p->certificate);
	free(p->key);
	free(p->name);
	free(p->id);
}

/* "host", "host:port", "[address]:port". */
static int parse_host(char *text, struct place *p)
{
	char *port, *end = NULL;

	p->server.port = KMIP_PORT;
	if (*text == '[') {
		port = strchr(++text, ']');
		if (port == NULL)
			return err_set(ERR_INVALID, "%s: ] is missing", text);
		*port++ = '\0';
		port = *port == ':' ? port + 1 : NULL;
	} else {
		port = strchr(text, ':');
		if (port)
			*port++ = '\0';
	}
	if (port) {
		p->server.port = (uint32_t)strtoul(port, &end, 10);
		if (*port < '0' || *port > '9' || *end)
			return err_set(ERR_INVALID, "\"%s\" is no port", port);
	}
	p->server.host = mem_strdup(text);
	return 0;
}

static int parse_part(char *part, struct place *p)
{
	char *value = strchr(part, '='), **at = NULL;

	if (value == NULL || value[1] == '\0')
		return err_set(ERR_INVALID, "\"%s\" has no value", part);
	*value++ = '\0';
	if (strcmp(part, "hold") == 0) {
		p->hold = strcmp(value, "yes") == 0;
		return p->hold || strcmp(value, "no") == 0 ? 0 : err_set(ERR_INVALID, "hold is yes or no");
	}
	at = strcmp(part, "ca") == 0 ? &p->ca : strcmp(part, "certificate") == 0 ? &p->certificate : strcmp(part, "key") == 0 ? &p->key
		: strcmp(part, "name") == 0 ? &p->name : strcmp(part, "id") == 0 ? &p->id : NULL;
	if (at == NULL || *at)
		return err_set(ERR_INVALID, "\"%s\" is %s", part, at ? "there twice" : "not known");
	*at = mem_strdup(value);
	return 0;
}

static int check_place(struct place *p)
{
	if (p->ca == NULL || p->certificate == NULL || p->key == NULL)
		return err_set(ERR_INVALID, "ca, certificate and key each name a file");
	if (p->name && p->id)
		return err_set(ERR_INVALID, "the key has a name or an id, not both");
	if ((p->name && strlen(p->name) > KMIP_NAME_MAX) || (p->id && strlen(p->id) > KMIP_ID_MAX))
		return err_set(ERR_INVALID, "the key's name is too long");
	if (p->name == NULL && p->id == NULL)
		p->name = mem_strdup(KEY_NAME);
	return 0;
}

static int parse(const char *location, struct place *out)
{
	static const char scheme[] = "kmip://";
	char *copy = mem_strdup(location), *rest = copy, *part;
	struct place p = { { NULL } };
	int rc;

	if (strlen(location) > LOCATION_MAX || strncmp(location, scheme, strlen(scheme)) != 0) {
		rc = err_set(ERR_INVALID, "it begins with %s", scheme);
	} else {
		rest += strlen(scheme);
		rc = parse_host(strsep(&rest, "?"), &p);
	}
	while (rc == 0 && (part = strsep(&rest, "&")) != NULL)
		rc = parse_part(part, &p);
	if (rc == 0)
		rc = check_place(&p);
	if (rc == 0)
		*out = p;
	else
		place_free(&p);
	free(copy);
	return rc == 0 ? 0 : err_wrap(rc, "%s", location);
}

static int read_pem(const char *path, char **out)
{
	struct buf b = BUF_INIT;
	int rc = file_read(path, KMIP_PEM_MAX, &b);

	if (rc == 0)
		*out = buf_take(&b);
	buf_free(&b);
	return rc;
}

static int prepare(const struct provider_options *options)
{
	struct place p = { { NULL } };
	int rc = parse(options->location, &p);

	if (rc == 0)
		rc = read_pem(p.ca, &p.server.ca);
	if (rc == 0)
		rc = read_pem(p.certificate, &p.server.certificate);
	if (rc == 0)
		rc = keyfile_read(p.key, KMIP_KEY_MAX, &p.server.key);
	if (rc == 0)
		rc = kmip_settings_check(&p.server);
	if (rc == 0) {
		file_settings = p.server;
		p.server = (struct kmip_settings){ NULL };
		file_settings.local = 1;
	}
	place_free(&p);
	return rc;
}

static void lose(struct provider_root *r)
{
	kmip_close(r->k);
	r->k = NULL;
}

/* Version 8 (RFC 9562): made of something else. */
static struct uuid id_of(const char *key)
{
	struct buf text = BUF_INIT;
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct uuid id;

	buf_printf(&text, "keyward root key on a KMIP server: %s", key);
	if (EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL) != 1)
		fatal("no SHA-256");
	memcpy(id.bytes, digest, sizeof id.bytes);
	id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x80);
	id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
	buf_free(&text);
	return id;
}

static int find_key(struct provider_root *r, char key[static KMIP_ID_MAX + 1])
{
	int rc;

	if (r->at.id) {
		memcpy(key, r->at.id, strlen(r->at.id) + 1);
		return 0;
	}
	rc = kmip_locate(r->k, r->at.name, key);
	if (rc != ERR_NOT_FOUND || !r->may_create)
		return rc;
	rc = kmip_create(r->k, r->at.name, KMIP_USE_ENCRYPT | KMIP_USE_DECRYPT, key);
	if (rc == 0)
		log_info("root key made on the key server", "key", key, NULL);
	return rc;
}

/* One that was made by a start that ended before it was active would never encrypt. One that is active already cannot be activated, which is
 * no harm: whether it works is tried. */
static void activate_first(struct provider_root *r, const char *key)
{
	if (r->may_create && kmip_activate(r->k, key) < 0)
		log_debug("the root key on the key server is not activated", "reason", err_text(), NULL);
}

static int fetch(struct provider_root *r, const char *key)
{
	struct secret *got = NULL;
	int rc = kmip_get(r->k, key, &got);

	if (rc == 0 && got->len != BLOB_KEY_SIZE) {
		rc = err_set(ERR_INVALID, "the key server's key has %zu bytes, not %d", got->len, BLOB_KEY_SIZE);
		secret_free(got);
	}
	if (rc == 0) {
		secret_free(r->held);
		r->held = got;
	}
	return rc;
}

/* Does the key do what is wanted of it? */
static int try_key(struct provider_root *r, const char *key)
{
	uint8_t nonce[BLOB_NONCE_SIZE];
	struct secret *plain;
	struct buf out = BUF_INIT;
	struct kmip_facts facts;
	int rc;

	if (r->at.hold)
		return fetch(r, key);
	rc = kmip_describe(r->k, &facts);
	if (rc == 0 && !facts.can_gcm)
		rc = err_set(ERR_UNSUPPORTED, "the key server (%s, KMIP %u.%u) does not encrypt with associated data: hold=yes lets keyd fetch the key "
			"and hold it", facts.vendor, facts.version.major, facts.version.minor);
	if (rc == 0 && RAND_bytes(nonce, sizeof nonce) != 1)
		rc = err_set(ERR_CRYPTO, "no random numbers");
	if (rc < 0)
		return rc;
	plain = secret_random(BLOB_KEY_SIZE);
	rc = kmip_encrypt(r->k, key, nonce, (struct wire_view){ (const uint8_t *)"rehearsal", 9 }, plain, &out);
	secret_free(plain);
	buf_free(&out);
	return rc;
}

static int check_id(struct provider_root *r, const struct uuid *id)
{
	int rc = provider_check(&r->id, id);

	if (rc < 0)
		r->cause = KEYS_CAUSE_OTHER_KEY;
	return rc < 0 ? err_wrap(rc, "key server") : 0;
}

static int connect_once(struct provider_root *r)
{
	char key[KMIP_ID_MAX + 1] = "";
	struct uuid id = { { 0 } };
	int rc = kmip_open(&r->at.server, LIMIT_MS, &r->k);

	r->cause = KEYS_CAUSE_SERVER;
	if (rc == 0)
		rc = find_key(r, key);
	if (rc == 0) {
		id = id_of(key);
		rc = check_id(r, &id);
	}
	if (rc == 0) {
		activate_first(r, key);
		rc = try_key(r, key);
	}
	if (rc < 0) {
		lose(r);
		return rc;
	}
	memcpy(r->key, key, sizeof r->key);
	r->id = id;
	r->may_create = 0;
	/* With the key at hand nothing more is asked of the server. */
	if (r->held)
		lose(r);
	return 0;
}

static int connect_server(struct provider_root *r)
{
	int rc = connect_once(r);

	snprintf(r->why, sizeof r->why, "%s", rc < 0 ? err_text() : "");
	return rc;
}

static const char *kmip_root_why(const struct provider_root *r)
{
	return r->why;
}

static enum keys_cause kmip_root_cause(const struct provider_root *r)
{
	return r->k == NULL && r->held == NULL ? r->cause : KEYS_CAUSE_NONE;
}

static void kmip_root_close(struct provider_root *r)
{
	if (r == NULL)
		return;
	lose(r);
	secret_free(r->held);
	place_free(&r->at);
	free(r);
}

/* What the server does not give now it may give later; but a first start that makes no key would leave nothing to come back to. */
static int kmip_root_open(const struct provider_options *options, struct provider_root **out)
{
	struct provider_root *r = mem_alloc(sizeof *r);
	int rc = file_settings.host ? 0 : prepare(options);

	if (rc == 0)
		rc = parse(options->location, &r->at);
	if (rc == 0) {
		kmip_settings_free(&r->at.server);
		r->at.server = file_settings;
		file_settings = (struct kmip_settings){ NULL };
		r->may_create = options->may_create;
		r->id = options->wanted;
		rc = connect_server(r);
		if (rc < 0 && !options->may_create) {
			log_warning("sealed", "reason", err_text(), NULL);
			rc = 0;
		}
	}
	if (rc == 0)
		*out = r;
	else
		kmip_root_close(r);
	return rc;
}

static int kmip_root_is_sealed(struct provider_root *r)
{
	return r->k == NULL && r->held == NULL;
}

static void kmip_root_retry(struct provider_root *r)
{
	if (kmip_root_is_sealed(r) && connect_server(r) < 0)
		log_debug("the key server is not back", "reason", err_text(), NULL);
}

/* A server ends connections that were idle: once more on a new one. One that is slow is not asked twice. */
static int again(struct provider_root *r, int rc)
{
	if (rc >= 0 || !kmip_is_broken(r->k))
		return 0;
	lose(r);
	return rc != ERR_TIMEOUT && connect_server(r) == 0;
}

static int need_server(const struct provider_root *r)
{
	return r->k ? 0 : err_set(ERR_SEALED, "the key server is not at hand");
}

static int encrypt(struct provider_root *r, const struct blob_label *label, const struct secret *plain, struct buf *out)
{
	struct buf aad = BUF_INIT;
	uint8_t nonce[BLOB_NONCE_SIZE];
	int rc = need_server(r);

	if (rc == 0 && RAND_bytes(nonce, sizeof nonce) != 1)
		rc = err_set(ERR_CRYPTO, "no random numbers");
	if (rc < 0)
		return rc;
	blob_associated(label, &r->id, &aad);
	buf_reset(out);
	wire_put_u8(out, BLOB_VERSION);
	wire_put_uuid(out, &r->id);
	wire_put_raw(out, nonce, sizeof nonce);
	rc = kmip_encrypt(r->k, r->key, nonce, (struct wire_view){ (uint8_t *)aad.data, aad.len }, plain, out);
	if (rc < 0)
		buf_reset(out);
	buf_free(&aad);
	return rc;
}

static int kmip_root_wrap(struct provider_root *r, const struct blob_label *label, const struct secret *plain, struct buf *out)
{
	int rc;

	if (r->held)
		return blob_wrap(&r->id, r->held->data, label, plain, out);
	rc = encrypt(r, label, plain, out);
	return r->k && again(r, rc) ? encrypt(r, label, plain, out) : rc;
}

/* What servers say of an altered blob differs. One that still encrypts has refused the blob; one that does not is lost. */
static int judge(struct provider_root *r, int rc)
{
	static const struct blob_label nothing = { .purpose = "rehearsal" };
	struct secret *plain;
	struct buf out = BUF_INIT;

	if (r->k == NULL || kmip_is_broken(r->k) || rc == ERR_TAMPERED)
		return rc;
	plain = secret_new(BLOB_KEY_SIZE);
	rc = kmip_root_wrap(r, &nothing, plain, &out);
	secret_free(plain);
	buf_free(&out);
	if (rc == 0)
		return err_set(ERR_TAMPERED, "not wrapped by this key under this label");
	lose(r);
	return err_set(ERR_UNAVAILABLE, "the key server fails");
}

static int decrypt(struct provider_root *r, const struct blob_label *label, struct wire_view blob, struct secret **plain)
{
	struct wire_reader in = wire_read(blob.data, blob.len);
	uint8_t version = wire_get_u8(&in);
	struct uuid id = wire_get_uuid(&in);
	struct wire_view nonce = wire_get_raw(&in, BLOB_NONCE_SIZE);
	struct buf aad = BUF_INIT;
	int rc = need_server(r);

	if (rc < 0)
		return rc;
	if (in.error || version != BLOB_VERSION || !uuid_equal(&id, &r->id) || in.left < BLOB_TAG_SIZE)
		return err_set(ERR_TAMPERED, "not wrapped by this key under this label");
	blob_associated(label, &r->id, &aad);
	rc = kmip_decrypt(r->k, r->key, nonce.data, (struct wire_view){ (uint8_t *)aad.data, aad.len }, (struct wire_view){ in.at, in.left },
		plain);
	buf_free(&aad);
	return rc;
}

static int kmip_root_unwrap(struct provider_root *r, const struct blob_label *label, struct wire_view blob, struct secret **plain)
{
	int rc;

	if (r->held)
		return blob_unwrap(&r->id, r->held->data, label, blob, plain);
	rc = decrypt(r, label, blob, plain);
	if (r->k && again(r, rc))
		rc = decrypt(r, label, blob, plain);
	return rc < 0 ? judge(r, rc) : 0;
}

static void kmip_root_describe(const struct provider_root *r, struct uuid *id)
{
	*id = r->id;
}

const struct provider provider_kmip = {
	.name = "kmip",
	.apart = 1,
	.prepare = prepare,
	.open = kmip_root_open,
	.is_sealed = kmip_root_is_sealed,
	.why = kmip_root_why,
	.cause = kmip_root_cause,
	.retry = kmip_root_retry,
	.wrap = kmip_root_wrap,
	.unwrap = kmip_root_unwrap,
	.describe = kmip_root_describe,
	.close = kmip_root_close,
};
