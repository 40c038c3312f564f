/* volume_tool.c - agent/volume from a command line, for the tests and measurements of volumes.
 *
 *     volume_tool COMMAND [name=value]...
 *
 * Names: env= and program= (run directory, keyward-volume), path, name, key (file), device, point, fs, label, cipher (xts, cbc),
 * bits, sector, hash, wipe, named, ro, discards, force, new, old (key files), quick (a passphrase is stretched for no time), header, version,
 * stop (a stage at which to interrupt); of an array:
 * array, index, count and chunk for its members, path2, key2, path3 ... beside path and key to open it. Prints
 * what came out as "name=value" lines; on failure "error=NAME text" and status 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <libcryptsetup.h>

#include "agent/volume/custody.h"
#include "agent/volume/volume.h"
#include "base/err.h"
#include "base/mem.h"

static char **arguments;

static const char *get(const char *name, const char *otherwise)
{
	size_t len = strlen(name);

	for (char **a = arguments; *a; a++)
		if (strncmp(*a, name, len) == 0 && (*a)[len] == '=')
			return *a + len + 1;
	return otherwise;
}

static const char *need(const char *name)
{
	const char *value = get(name, NULL);

	if (value == NULL)
		fatal("%s= is needed", name);
	return value;
}

static int number(const char *name, int otherwise)
{
	return get(name, NULL) ? atoi(get(name, NULL)) : otherwise;
}

/* In the place of libcryptsetup's own (by the linker). With quick=1 what is killed at random is killed while it writes, not while it computes. */
const struct crypt_pbkdf_type *__real_crypt_get_pbkdf_default(const char *type);
const struct crypt_pbkdf_type *__wrap_crypt_get_pbkdf_default(const char *type);
const struct crypt_pbkdf_type *__wrap_crypt_get_pbkdf_default(const char *type)
{
	static const struct crypt_pbkdf_type quick = { .type = CRYPT_KDF_ARGON2ID, .hash = "sha256", .iterations = 4, .max_memory_kb = 32,
		.parallel_threads = 1, .flags = CRYPT_PBKDF_NO_BENCHMARK };

	return number("quick", 0) ? &quick : __real_crypt_get_pbkdf_default(type);
}

static struct secret *read_key(const char *name)
{
	struct secret *raw = secret_new(4096);
	int fd = open(need(name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, raw->data, raw->len);

	if (n <= 0)
		fatal("no key in %s", need(name));
	close(fd);
	raw->len = (size_t)n;
	return raw;
}

static struct volume_env environment(void)
{
	return (struct volume_env){ .run_dir = get("env", "/run/keyward-test"), .program = get("program", NULL) };
}

static int progress(void *ctx, const char *stage, int percent)
{
	char now[64];

	printf("progress=%s %d\n", stage, percent);
	fflush(stdout);
	snprintf(now, sizeof now, "%s:%d", stage, percent);
	return strcmp(get("stop", ""), now) == 0;
}

static struct volume_params params(void)
{
	struct volume_params p = {
		.cipher = strcmp(get("cipher", "xts"), "cbc") == 0 ? VOLUME_CBC_ESSIV : VOLUME_XTS,
		.key_bits = (unsigned)number("bits", 256),
		.sector_size = (uint32_t)number("sector", 0),
		.hash = get("hash", NULL),
		.wipe = number("wipe", 0),
		.token = { .key_version = (uint32_t)number("version", 1), .keyslot = -1 },
	};

	snprintf(p.token.place.array, sizeof p.token.place.array, "%s", get("array", ""));
	p.token.place.index = (uint32_t)number("index", 0);
	p.token.place.count = (uint32_t)number("count", 2);
	p.token.place.chunk = (uint32_t)number("chunk", VOLUME_CHUNK);
	snprintf(p.token.server, sizeof p.token.server, "%s", get("server", "https://keyward.example"));
	if (uuid_parse(get("account", "01930000-0000-7000-8000-00000000000a"), &p.token.account) < 0
	    || uuid_parse(get("id", "01930000-0000-7000-8000-00000000000d"), &p.token.device) < 0)
		fatal("account= and id= are UUIDs");
	return p;
}

static int do_inspect(void)
{
	static const char *const uses[] = { "free", "root", "mounted", "held" };
	static const char *const contents[] = { "nothing", "table", "signature", "foreign", "ours" };
	struct volume_report r;
	char device[UUID_TEXT_SIZE];
	int rc = volume_inspect(need("path"), &r);

	if (rc < 0)
		return rc;
	printf("use=%s\nuse_text=%s\ncontent=%s\ncontent_text=%s\nsize=%llu\n", uses[r.use], r.use_text, contents[r.content],
		r.content_text, (unsigned long long)r.size);
	if (r.content == VOLUME_OURS) {
		uuid_text(&r.token.device, device);
		printf("server=%s\nid=%s\nversion=%u\nslot=%d\nprovisioning=%d\nwiped=%llu\n", r.token.server, device,
			r.token.key_version, r.token.keyslot, r.token.provisioning, (unsigned long long)r.token.wiped);
		printf("array=%s\nindex=%u\ncount=%u\nchunk=%u\n", r.token.place.array, r.token.place.index, r.token.place.count,
			r.token.place.chunk);
	}
	return 0;
}

static int do_format(void)
{
	struct volume_params p = params();
	struct secret *key = read_key("key");
	int rc = volume_format(need("path"), &p, key, number("named", 0), progress, NULL);

	secret_free(key);
	return rc;
}

static int do_provision(void)
{
	struct volume_params p = params();
	struct volume_env env = environment();
	struct secret *key = read_key("key");
	int rc = volume_provision(&env, need("path"), need("name"), &p, key, need("fs"), get("label", NULL), number("named", 0),
		progress, NULL);

	secret_free(key);
	return rc;
}

static int do_ready(void)
{
	return volume_ready(need("path"));
}

static int do_rekey(void)
{
	struct secret *key = read_key("key"), *new = read_key("new");
	struct volume_rekey r = { .old = key, .new = new, .version = (uint32_t)number("version", 2) };
	int rc = volume_rekey_add(need("path"), &r);

	if (rc == 0 && number("drop", 1))
		rc = volume_rekey_drop(need("path"), &r);
	secret_free(key);
	secret_free(new);
	return rc;
}

static int do_look(void)
{
	struct custody_look l;
	int rc = custody_look(need("path"), NULL, &l);

	if (rc == 0)
		printf("uuid=%s\ncipher=%s\nmode=%s\nhash=%s\nbits=%u\nsector=%u\nslots=%d\nours=%d\n", l.uuid, l.cipher, l.mode, l.hash,
			l.key_bits, l.sector_size, l.slots, l.ours);
	return rc;
}

static int do_adopt(void)
{
	struct secret *key = read_key("key"), *old = get("old", NULL) ? read_key("old") : NULL;
	struct volume_params p = params();
	int rc = custody_adopt(need("path"), old, key, &p.token);

	secret_free(key);
	secret_free(old);
	return rc;
}

static int do_drop(void)
{
	struct secret *key = read_key("key");
	int rc = custody_drop_others(need("path"), key);

	secret_free(key);
	if (rc >= 0)
		printf("dropped=%d\n", rc);
	return rc < 0 ? rc : 0;
}

static int do_hand_over(void)
{
	struct secret *key = read_key("key"), *new = read_key("new");
	int rc = custody_hand_over(need("path"), key, new);

	secret_free(key);
	secret_free(new);
	return rc;
}

static int do_decrypt(void)
{
	struct secret *key = read_key("key");
	int rc = custody_decrypt(need("path"), need("header"), key, progress, NULL);

	secret_free(key);
	return rc;
}

static struct volume_part more[VOLUME_PARTS_MAX];

static struct volume_open_params open_params(void)
{
	struct volume_open_params p = { .path = need("path"), .name = need("name"), .read_only = number("ro", 0),
		.discards = number("discards", 0), .more = more, .chunk = (uint32_t)number("chunk", VOLUME_CHUNK),
		.expected = { get("expected", NULL), (unsigned)number("expected_bits", 256) } };
	char path[16], key[16];

	for (;; p.more_count++) {
		snprintf(path, sizeof path, "path%zu", p.more_count + 2);
		snprintf(key, sizeof key, "key%zu", p.more_count + 2);
		if (get(path, NULL) == NULL)
			return p;
		more[p.more_count] = (struct volume_part){ need(path), read_key(key) };
	}
}

static void forget_keys(const struct volume_open_params *p)
{
	for (size_t i = 0; i < p->more_count; i++)
		secret_free((struct secret *)(uintptr_t)more[i].key);
}

static int do_make_fs(void)
{
	struct volume_open_params p = open_params();
	struct volume_env env = environment();
	struct secret *key = read_key("key");
	int rc = volume_make_fs(&env, NULL, &p, key, need("fs"), get("label", NULL));

	secret_free(key);
	forget_keys(&p);
	return rc;
}

static int do_open(void)
{
	struct volume_open_params p = open_params();
	struct volume_env env = environment();
	const struct volume_engine *engine = NULL;
	struct secret *key = read_key("key");
	char device[VOLUME_TEXT_MAX];
	int rc = get("engine", NULL) ? volume_engine_find(get("engine", NULL), &engine) : 0;

	if (rc == 0)
		rc = volume_open(&env, engine, &p, key, device);
	secret_free(key);
	forget_keys(&p);
	if (rc == 0)
		printf("device=%s\n", device);
	return rc;
}

static int do_close(void)
{
	struct volume_env env = environment();

	return volume_close(&env, need("name"), number("force", 0));
}

static void print_state(const struct volume_state *s)
{
	printf("name=%s\npath=%s\ndevice=%s\nengine=%s\nro=%d\nalive=%d\nparts=%d\nmounted=%s\n", s->name, s->path, s->device, s->engine,
		s->read_only, s->alive, s->parts, s->mounted);
}

static int do_status(void)
{
	struct volume_env env = environment();
	struct volume_state s;
	int rc = volume_status(&env, need("name"), &s);

	if (rc == 0)
		print_state(&s);
	return rc;
}

static int do_list(void)
{
	struct volume_env env = environment();
	struct volume_state *list;
	int n = volume_list(&env, &list);

	for (int i = 0; i < n; i++)
		print_state(&list[i]);
	free(list);
	return n < 0 ? n : 0;
}

static int do_mkfs(void)
{
	return volume_mkfs(need("device"), need("fs"), get("label", NULL));
}

static int do_check(void)
{
	char found[VOLUME_TEXT_MAX];
	int rc = volume_check(need("device"), found);

	if (rc == 0)
		printf("found=%.*s\n", (int)strcspn(found, "\n"), found);
	return rc;
}

static int do_mount(void)
{
	return volume_mount(need("device"), need("point"), number("ro", 0));
}

static int do_unmount(void)
{
	return volume_unmount(need("point"), number("force", 0));
}

static const struct {
	const char *name;
	int (*run)(void);
} commands[] = {
	{ "inspect", do_inspect }, { "format", do_format }, { "provision", do_provision }, { "ready", do_ready },
	{ "rekey", do_rekey }, { "open", do_open }, { "close", do_close }, { "status", do_status }, { "list", do_list },
	{ "make_fs", do_make_fs }, { "mkfs", do_mkfs }, { "check", do_check }, { "mount", do_mount }, { "unmount", do_unmount },
	{ "look", do_look }, { "adopt", do_adopt }, { "drop", do_drop }, { "hand-over", do_hand_over },
	{ "decrypt", do_decrypt },
};

int main(int argc, char **argv)
{
	int rc;

	if (argc < 2)
		fatal("a command is needed");
	secret_init();
	arguments = argv + 2;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		rc = commands[i].run();
		if (rc < 0)
			printf("error=%s %s\n", err_name(rc), err_text());
		return rc < 0;
	}
	fatal("no command %s", argv[1]);
}
