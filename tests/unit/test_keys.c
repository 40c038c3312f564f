/* test_keys.c - the key hierarchy inside one process: blobs, key files, the root key file, the tenant key cache. */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/keyfile.h"
#include "base/mem.h"
#include "keys/blob.h"
#include "keys/cache.h"
#include "keys/hierarchy.h"
#include "keys/provider.h"
#include "keys/service.h"
#include "keys/signer.h"

#include "check.h"

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
	return path[turn];
}

static void begin(void)
{
	secret_init();
	snprintf(folder, sizeof folder, "/tmp/keyward-keys-XXXXXX");
	if (mkdtemp(folder) == NULL)
		fatal("no temporary folder");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void end(void)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct wire_view view(const struct buf *b)
{
	return (struct wire_view){ (const uint8_t *)b->data, b->len };
}

static struct secret *secret_of(const char *text)
{
	struct secret *s = secret_new(strlen(text));

	memcpy(s->data, text, strlen(text));
	return s;
}

/* 1 when the blob opens under this key and label to PLAIN, 0 when it is refused as tampered; else a failed check. */
static int opens(const struct uuid *id, const struct secret *key, const struct blob_label *label, struct wire_view blob,
	const struct secret *plain)
{
	struct secret *got = NULL;
	int rc = blob_unwrap(id, key->data, label, blob, &got);

	if (rc == 0) {
		CHECK(secret_equal(got, plain));
		secret_free(got);
		return 1;
	}
	CHECK_INT(rc, ERR_TAMPERED);
	CHECK(got == NULL);
	return 0;
}

TEST(blob_opens_only_under_its_own_label, "KEY-1")
{
	struct blob_label right = { "key/device", uuid_new(), uuid_new(), 3 }, wrong;
	struct secret *key, *other, *plain;
	struct uuid id = uuid_new(), other_id = uuid_new();
	struct buf blob = BUF_INIT;

	secret_init();
	key = secret_random(BLOB_KEY_SIZE);
	other = secret_random(BLOB_KEY_SIZE);
	plain = secret_of("volume key of a device, 32 byte.");
	CHECK_INT(blob_wrap(&id, key->data, &right, plain, &blob), 0);
	CHECK_INT(blob.len, plain->len + BLOB_OVERHEAD);
	CHECK_INT(opens(&id, key, &right, view(&blob), plain), 1);
	wrong = right, wrong.purpose = "key/devicf";
	CHECK_INT(opens(&id, key, &wrong, view(&blob), plain), 0);
	wrong = right, wrong.purpose = "";
	CHECK_INT(opens(&id, key, &wrong, view(&blob), plain), 0);
	wrong = right, wrong.tenant = uuid_new();
	CHECK_INT(opens(&id, key, &wrong, view(&blob), plain), 0);
	wrong = right, wrong.object = uuid_new();
	CHECK_INT(opens(&id, key, &wrong, view(&blob), plain), 0);
	wrong = right, wrong.tenant = right.object, wrong.object = right.tenant;
	CHECK_INT(opens(&id, key, &wrong, view(&blob), plain), 0);
	wrong = right, wrong.version = 4;
	CHECK_INT(opens(&id, key, &wrong, view(&blob), plain), 0);
	CHECK_INT(opens(&id, other, &right, view(&blob), plain), 0);
	CHECK_INT(opens(&other_id, key, &right, view(&blob), plain), 0);
	/* The key id in the blob itself is authenticated too. */
	memcpy(blob.data + 1, other_id.bytes, 16);
	CHECK_INT(opens(&other_id, key, &right, view(&blob), plain), 0);
	buf_free(&blob);
	secret_free(key);
	secret_free(other);
	secret_free(plain);
}

TEST(blob_with_any_bit_altered_or_cut_anywhere_is_refused, "KEY-1")
{
	struct blob_label label = { "key/tenant", uuid_new(), uuid_new(), 1 };
	struct secret *key, *plain;
	struct uuid id = uuid_new();
	struct buf blob = BUF_INIT;

	secret_init();
	key = secret_random(BLOB_KEY_SIZE);
	plain = secret_of("short");
	CHECK_INT(blob_wrap(&id, key->data, &label, plain, &blob), 0);
	for (size_t i = 0; i < blob.len * 8; i++) {
		blob.data[i / 8] ^= (char)(1 << i % 8);
		CHECK_INT(opens(&id, key, &label, view(&blob), plain), 0);
		blob.data[i / 8] ^= (char)(1 << i % 8);
	}
	for (size_t len = 0; len < blob.len; len++)
		CHECK_INT(opens(&id, key, &label, (struct wire_view){ (uint8_t *)blob.data, len }, plain), 0);
	CHECK_INT(opens(&id, key, &label, view(&blob), plain), 1);
	buf_putc(&blob, 0);
	CHECK_INT(opens(&id, key, &label, view(&blob), plain), 0);
	buf_free(&blob);
	secret_free(key);
	secret_free(plain);
}

/* Made outside this program, by another implementation of AES-GCM, from the description in docs/keys.md. */
TEST(blob_test_vector, "KEY-1")
{
	static const char key_text[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	static const char blob_text[] =
		"01019ab000000070008000000000000001a0a1a2a3a4a5a6a7a8a9aaab06f99e"
		"cea12ee4588a8c6d38eb972e31904dbbf37652a48b74e7cc6d93469beedca626"
		"311100732bf02d31c7183fa908";
	struct blob_label label = { .purpose = "key/device", .version = 7 };
	struct buf key = BUF_INIT, blob = BUF_INIT;
	struct secret *held, *plain;
	struct uuid id;

	secret_init();
	plain = secret_new(32);
	CHECK_INT(uuid_parse("019ab000-0000-7000-8000-000000000001", &id), 0);
	CHECK_INT(uuid_parse("019ab000-0000-7000-8000-000000000002", &label.tenant), 0);
	CHECK_INT(uuid_parse("019ab000-0000-7000-8000-000000000003", &label.object), 0);
	CHECK_INT(decode_hex(key_text, &key), 0);
	CHECK_INT(decode_hex(blob_text, &blob), 0);
	for (int i = 0; i < 32; i++)
		plain->data[i] = (uint8_t)(0xe0 + i % 16);
	held = secret_take(key.data, key.len);
	CHECK_INT(opens(&id, held, &label, view(&blob), plain), 1);
	secret_free(held);
	secret_free(plain);
	buf_free(&key);
	buf_free(&blob);
}

static int try_open(const char *path, int may_create, struct provider_root **root)
{
	struct provider_options o = { .location = path, .may_create = may_create };

	*root = NULL;
	return provider_file.open(&o, root);
}

static void close_root(struct provider_root *root)
{
	provider_file.close(root);
}

TEST(root_key_file_is_made_once_and_private, "KEY-2")
{
	struct provider_root *a, *b;
	struct uuid first, again;
	struct stat st;

	begin();
	CHECK_INT(try_open(in_folder("root"), 0, &a), ERR_SEALED);
	CHECK_INT(access(in_folder("root"), F_OK), -1);
	CHECK_INT(try_open(in_folder("root"), 1, &a), 0);
	CHECK_INT(stat(in_folder("root"), &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(st.st_uid, geteuid());
	CHECK_INT(try_open(in_folder("root"), 1, &b), 0);
	provider_file.describe(a, &first);
	provider_file.describe(b, &again);
	CHECK(uuid_equal(&first, &again));
	CHECK_INT(access(in_folder("root.new"), F_OK), -1);
	close_root(a);
	close_root(b);
	end();
}

static int open_with_mode(mode_t mode)
{
	struct provider_root *root;
	int rc;

	chmod(in_folder("root"), mode);
	rc = try_open(in_folder("root"), 1, &root);
	close_root(root);
	return rc;
}

TEST(root_key_file_of_wrong_owner_mode_or_kind_is_refused, "KEY-2,SEC-7")
{
	static const mode_t bad[] = { 0644, 0640, 0660, 0620, 0601, 0604, 0610, 0666 };
	struct provider_root *root;

	begin();
	CHECK_INT(try_open(in_folder("root"), 1, &root), 0);
	close_root(root);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(open_with_mode(bad[i]), ERR_FORBIDDEN);
	CHECK_INT(open_with_mode(0600), 0);
	CHECK_INT(open_with_mode(0400), 0);
	if (geteuid() == 0) {
		CHECK_INT(chown(in_folder("root"), 65534, (gid_t)-1), 0);
		CHECK_INT(open_with_mode(0600), ERR_FORBIDDEN);
		CHECK_INT(chown(in_folder("root"), 0, (gid_t)-1), 0);
	}
	CHECK_INT(symlink(in_folder("root"), in_folder("symbolic")), 0);
	CHECK_INT(try_open(in_folder("symbolic"), 1, &root), ERR_FORBIDDEN);
	CHECK_INT(link(in_folder("root"), in_folder("second-name")), 0);
	CHECK_INT(try_open(in_folder("root"), 1, &root), ERR_FORBIDDEN);
	CHECK_INT(unlink(in_folder("second-name")), 0);
	CHECK_INT(mkfifo(in_folder("pipe"), 0600), 0);
	CHECK_INT(try_open(in_folder("pipe"), 1, &root), ERR_FORBIDDEN);
	CHECK_INT(mkdir(in_folder("sub"), 0700), 0);
	CHECK_INT(try_open(in_folder("sub"), 1, &root), ERR_FORBIDDEN);
	CHECK_INT(open_with_mode(0600), 0);
	end();
}

TEST(damaged_root_key_file_is_refused_and_left_alone, "KEY-2,SEC-7")
{
	struct provider_root *root;
	struct buf good = BUF_INIT, after = BUF_INIT;

	begin();
	CHECK_INT(try_open(in_folder("root"), 1, &root), 0);
	close_root(root);
	CHECK_INT(file_read(in_folder("root"), 4096, &good), 0);
	for (size_t i = 0; i < good.len; i++) {
		good.data[i] ^= 1;
		CHECK_INT(file_write(in_folder("root"), good.data, good.len, 0600), 0);
		CHECK_INT(try_open(in_folder("root"), 1, &root), ERR_TAMPERED);
		good.data[i] ^= 1;
	}
	CHECK_INT(file_write(in_folder("root"), good.data, good.len - 1, 0600), 0);
	CHECK_INT(try_open(in_folder("root"), 1, &root), ERR_TAMPERED);
	CHECK_INT(file_write(in_folder("root"), "", 0, 0600), 0);
	CHECK_INT(try_open(in_folder("root"), 1, &root), ERR_TAMPERED);
	CHECK_INT(file_read(in_folder("root"), 4096, &after), 0);
	CHECK_INT(after.len, 0);
	buf_free(&good);
	buf_free(&after);
	end();
}

/* Each child says by its exit status whether it ended with the same root key as the file names afterwards. */
TEST(many_first_starts_at_once_agree_on_one_root_key, "KEY-2")
{
	enum { CHILDREN = 16 };
	struct provider_root *root;
	struct uuid ids[CHILDREN], last;
	int channel[2], status;

	begin();
	CHECK_INT(pipe(channel), 0);
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() == 0) {
			struct uuid id;
			int rc = try_open(in_folder("root"), 1, &root);

			if (rc == 0)
				provider_file.describe(root, &id);
			_exit(rc == 0 && write(channel[1], &id, sizeof id) == (ssize_t)sizeof id ? 0 : 1);
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		wait(&status);
		CHECK_INT(status, 0);
		CHECK_INT(read(channel[0], &ids[i], sizeof ids[i]), sizeof ids[i]);
	}
	CHECK_INT(try_open(in_folder("root"), 0, &root), 0);
	provider_file.describe(root, &last);
	for (int i = 0; i < CHILDREN; i++)
		CHECK(uuid_equal(&ids[i], &last));
	close_root(root);
	close(channel[0]);
	close(channel[1]);
	end();
}

static void open_hierarchy(struct hierarchy *h, const char *name)
{
	memset(h, 0, sizeof *h);
	h->provider = &provider_file;
	CHECK_INT(try_open(in_folder(name), 1, &h->root), 0);
}

TEST(nothing_opens_under_another_root_key, "KEY-1,KEY-2")
{
	static struct hierarchy right, wrong;
	struct uuid tenant = uuid_new();
	struct buf wrapped = BUF_INIT, blob = BUF_INIT;
	struct blob_label label = { .purpose = HIERARCHY_DEVICE_KEY, .object = uuid_new(), .version = 1 };
	struct secret *plain, *got = NULL;
	struct hierarchy_tenant t = { .id = tenant };

	begin();
	open_hierarchy(&right, "root-a");
	open_hierarchy(&wrong, "root-b");
	plain = secret_random(32);
	CHECK_INT(hierarchy_create_tenant(&right, &tenant, &wrapped), 0);
	t.wrapped = view(&wrapped);
	CHECK_INT(hierarchy_wrap(&right, &t, &label, plain, &blob), 0);
	CHECK_INT(hierarchy_unwrap(&wrong, &t, &label, view(&blob), &got), ERR_TAMPERED);
	CHECK_INT(hierarchy_unwrap(&right, &t, &label, view(&blob), &got), 0);
	CHECK(got && secret_equal(got, plain));
	secret_free(got);
	got = NULL;
	/* Right keys, another tenant's name on them. */
	t.id = uuid_new();
	CHECK_INT(hierarchy_unwrap(&right, &t, &label, view(&blob), &got), ERR_TAMPERED);
	hierarchy_close(&right);
	t.id = tenant;
	CHECK_INT(hierarchy_unwrap(&right, &t, &label, view(&blob), &got), ERR_SEALED);
	CHECK(got == NULL);
	hierarchy_close(&wrong);
	secret_free(plain);
	buf_free(&wrapped);
	buf_free(&blob);
	end();
}

/* A blob of one kind must not be taken for another: a tenant's secret holding 48 bytes is no tenant key. */
TEST(a_secret_cannot_be_passed_off_as_a_key, "KEY-1")
{
	static struct hierarchy h;
	struct uuid tenant = uuid_new();
	struct blob_label label = { .purpose = "system/key-tenant", .tenant = tenant, .object = tenant, .version = 1 };
	struct secret *chosen, *got = NULL;
	struct buf forged = BUF_INIT, out = BUF_INIT;
	struct hierarchy_tenant t = { .id = tenant };

	begin();
	open_hierarchy(&h, "root");
	chosen = secret_new(48);
	CHECK_INT(hierarchy_root_wrap(&h, &label, chosen, &forged), 0);
	t.wrapped = view(&forged);
	label.purpose = HIERARCHY_DEVICE_KEY;
	CHECK_INT(hierarchy_wrap(&h, &t, &label, chosen, &out), ERR_TAMPERED);
	CHECK_INT(hierarchy_unwrap(&h, &t, &label, view(&forged), &got), ERR_TAMPERED);
	secret_free(chosen);
	buf_free(&forged);
	buf_free(&out);
	hierarchy_close(&h);
	end();
}

TEST(tenant_keys_are_unwrapped_once_and_forgotten_in_time, "KEY-4")
{
	static struct cache c;
	struct uuid tenants[CACHE_TENANTS + 1];
	struct wire_view blob = { (const uint8_t *)"blob", 4 }, other = { (const uint8_t *)"bloc", 4 };

	secret_init();
	for (size_t i = 0; i <= CACHE_TENANTS; i++) {
		tenants[i] = uuid_new();
		cache_add(&c, &tenants[i], blob, secret_random(48), (clock_us)(i + 1));
		/* The first stays in use, so it outlives the second. */
		CHECK(cache_find(&c, &tenants[0], blob, (clock_us)(i + 1)) != NULL);
	}
	CHECK_INT(cache_count(&c), CACHE_TENANTS);
	CHECK(cache_find(&c, &tenants[1], blob, 100) == NULL);
	CHECK(cache_find(&c, &tenants[2], blob, 100) != NULL);
	CHECK(cache_find(&c, &tenants[2], other, 100) == NULL);
	cache_expire(&c, CACHE_AGE + 3);
	CHECK(cache_find(&c, &tenants[0], blob, CACHE_AGE + 3) == NULL);
	CHECK(cache_find(&c, &tenants[CACHE_TENANTS], blob, CACHE_AGE + 3) != NULL);
	cache_expire(&c, 2 * CACHE_AGE);
	CHECK_INT(cache_count(&c), 0);
	cache_clear(&c);
}

static int open_identity(struct hierarchy *h, struct signer **out)
{
	struct secret *file = NULL;
	int rc = signer_read(in_folder("identity"), &file);

	if (rc == 0)
		rc = signer_open(h, file, out);
	secret_free(file);
	return rc;
}

TEST(identity_file_belongs_to_its_root_key, "KEY-2,SEC-7")
{
	static struct hierarchy right, wrong;
	struct signer *a = NULL, *b = NULL;
	uint8_t first[SIGNER_POINT_SIZE], again[SIGNER_POINT_SIZE];
	struct buf file = BUF_INIT;

	begin();
	open_hierarchy(&right, "root-a");
	open_hierarchy(&wrong, "root-b");
	CHECK_INT(open_identity(&right, &a), ERR_NOT_FOUND);
	CHECK_INT(signer_create(&right, in_folder("identity")), 0);
	CHECK_INT(open_identity(&right, &a), 0);
	/* One that is there stays. */
	CHECK_INT(signer_create(&right, in_folder("identity")), 0);
	CHECK_INT(open_identity(&right, &b), 0);
	signer_public(a, first);
	signer_public(b, again);
	CHECK(memcmp(first, again, sizeof first) == 0);
	signer_close(b);
	CHECK_INT(open_identity(&wrong, &b), ERR_TAMPERED);
	chmod(in_folder("identity"), 0644);
	CHECK_INT(open_identity(&right, &b), ERR_FORBIDDEN);
	chmod(in_folder("identity"), 0600);
	CHECK_INT(file_read(in_folder("identity"), 4096, &file), 0);
	file.data[file.len / 2] ^= 1;
	CHECK_INT(file_write(in_folder("identity"), file.data, file.len, 0600), 0);
	CHECK_INT(open_identity(&right, &b), ERR_TAMPERED);
	signer_close(a);
	buf_free(&file);
	hierarchy_close(&right);
	hierarchy_close(&wrong);
	end();
}

/* The file is as docs/keys.md says; the key comes back by the right passphrase alone, whatever of the file is changed. */
TEST(root_key_under_a_passphrase, "KEY-2,SEC-7")
{
	const struct provider *p = &provider_passphrase;
	struct secret *right = secret_of("correct horse battery"), *wrong = secret_of("correct horse batterz"), *few = secret_of("too short");
	struct secret *plain = secret_random(32), *got = NULL;
	char path[128];
	struct provider_options options = { .location = path, .may_create = 1, .passphrase = few };
	struct blob_label label = { .purpose = "data/x", .version = 1 };
	struct provider_root *root = NULL;
	struct buf blob = BUF_INIT, file = BUF_INIT;
	struct uuid first, again;

	begin();
	snprintf(path, sizeof path, "%s", in_folder("pass"));
	CHECK_INT(p->open(&options, &root), ERR_INVALID);
	options.passphrase = right;
	CHECK_INT(p->open(&options, &root), 0);
	CHECK(!p->is_sealed(root));
	p->describe(root, &first);
	CHECK_INT(p->wrap(root, &label, plain, &blob), 0);
	p->seal(root);
	CHECK(p->is_sealed(root));
	CHECK_INT(p->unwrap(root, &label, view(&blob), &got), ERR_SEALED);
	CHECK_INT(p->wrap(root, &label, plain, &blob), ERR_SEALED);
	CHECK_INT(p->unseal(root, wrong), ERR_FORBIDDEN);
	CHECK(p->is_sealed(root));
	CHECK_INT(p->unseal(root, right), 0);
	CHECK_INT(p->unwrap(root, &label, view(&blob), &got), 0);
	CHECK(got && secret_equal(plain, got));
	secret_free(got);
	got = NULL;
	/* Another passphrase for the same key. */
	CHECK_INT(p->change(root, options.location, few), ERR_INVALID);
	CHECK_INT(p->change(root, options.location, wrong), 0);
	p->close(root);
	CHECK_INT(p->open(&options, &root), 0);
	p->describe(root, &again);
	CHECK(uuid_equal(&first, &again) && p->is_sealed(root));
	CHECK_INT(p->unseal(root, right), ERR_FORBIDDEN);
	CHECK_INT(p->unseal(root, wrong), 0);
	CHECK_INT(p->unwrap(root, &label, view(&blob), &got), 0);
	CHECK(got && secret_equal(plain, got));
	p->close(root);
	/* Magic, id, salt, costs, blob: each is needed as it is. */
	CHECK_INT(file_read(options.location, 4096, &file), 0);
	CHECK_INT(file.len, 125);
	for (size_t i = 0; i < file.len; i += 31) {
		int rc;

		file.data[i] ^= 1;
		CHECK_INT(file_write(options.location, file.data, file.len, 0600), 0);
		rc = p->open(&options, &root);
		CHECK(rc == 0 || rc == ERR_TAMPERED);
		if (rc == 0) {
			CHECK(p->unseal(root, wrong) == ERR_FORBIDDEN);
			p->close(root);
		}
		file.data[i] ^= 1;
	}
	memset(file.data + 40, 0xff, 8);
	CHECK_INT(file_write(options.location, file.data, file.len, 0600), 0);
	CHECK_INT(p->open(&options, &root), ERR_TAMPERED);
	CHECK_INT(unlink(options.location), 0);
	options.may_create = 0;
	CHECK_INT(p->open(&options, &root), ERR_SEALED);
	secret_free(got);
	secret_free(plain);
	secret_free(right);
	secret_free(wrong);
	secret_free(few);
	buf_free(&blob);
	buf_free(&file);
	end();
}

TEST_MAIN
