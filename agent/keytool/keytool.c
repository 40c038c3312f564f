/* keytool.c - keyward-keytool: looks into exported keys, decrypts them, opens volumes with them, on a machine that reaches no server. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/common/host.h"
#include "agent/common/private.h"
#include "agent/keytool/keytool.h"
#include "base/err.h"
#include "base/log.h"
#include "base/prompt.h"

enum exit { DONE = 0, FAILED = 1, USAGE = 2 };

static const char *field(const struct keyfile *f, int i)
{
	return f->fields[i];
}

/* Choosing */

static int is_called(const struct keyfile *f, const char *name)
{
	static const int names[] = { EXPORTED_DEVICE, EXPORTED_DEVICE_NAME, EXPORTED_PROVIDER_DEVICE, EXPORTED_RAID, EXPORTED_RAID_NAME };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (*name && strcmp(field(f, names[i]), name) == 0)
			return 1;
	return 0;
}

static int same_volume(const struct keyfile *a, const struct keyfile *b)
{
	return a == b || (a->raid_members > 0 && b->raid_members > 0 && strcmp(field(a, EXPORTED_RAID), field(b, EXPORTED_RAID)) == 0);
}

/* The first file of the one volume that O means. */
static int choose(const struct keytool_options *o, const struct keyfiles *k, const struct keyfile **out)
{
	const struct keyfile *found = NULL;

	for (size_t i = 0; i < k->count; i++) {
		if (o->device && !is_called(&k->list[i], o->device))
			continue;
		if (found && !same_volume(found, &k->list[i]))
			return err_set(ERR_INVALID, o->device ? "several volumes are called so: name one by its ID" : "there are several volumes in it:"
				" choose one by --device (--inspect shows them)");
		found = found ? found : &k->list[i];
	}
	if (found == NULL)
		return err_set(ERR_INVALID, "no volume in it is called %s", o->device ? o->device : "anything");
	*out = found;
	return 0;
}

/* All members of an array, each at its place. */
static int gather(const struct keyfiles *k, const struct keyfile *first, struct keytool_volume *v)
{
	if (first->raid_members == 0) {
		v->files[0] = first;
		v->count = 1;
		return 0;
	}
	if (first->raid_members > VOLUME_PARTS_MAX)
		return err_set(ERR_INVALID, "a RAID of %d devices cannot be", first->raid_members);
	v->count = (size_t)first->raid_members;
	for (size_t i = 0; i < k->count; i++) {
		const struct keyfile *f = &k->list[i];

		if (!same_volume(first, f))
			continue;
		if (f->raid_index >= first->raid_members || f->raid_members != first->raid_members || v->files[f->raid_index])
			return err_set(ERR_INVALID, "the files do not belong to one RAID");
		v->files[f->raid_index] = f;
	}
	for (size_t i = 0; i < v->count; i++)
		if (v->files[i] == NULL)
			return err_set(ERR_NOT_FOUND, "the key of device %zu of the RAID's %zu is missing: all are needed, in one zip", i + 1, v->count);
	return 0;
}

/* Passphrase and keys */

static int take_passphrase(struct keytool_options *o, struct secret **out)
{
	int rc = private_secret("passphrase", o->passphrase, o->passphrase_file, "KEYWARD_EXPORT_PASSPHRASE", out);

	o->passphrase = NULL;
	if (rc == 0 && *out == NULL && !prompt_is_person())
		rc = err_set(ERR_INVALID, "the passphrase of the export is needed: --passphrase-file, or KEYWARD_EXPORT_PASSPHRASE in the environment");
	if (rc == 0 && *out == NULL)
		return prompt_secret("Passphrase of the export: ", EXPORTED_PASSPHRASE_MOST * 4, out);
	if (rc == 0)
		(*out)->len = strlen((const char *)(*out)->data);
	return rc;
}

static int open_keys(struct keytool_options *o, struct keytool_volume *v)
{
	struct secret *passphrase = NULL;
	struct keyfile_opener opener = { .key = NULL };
	int rc = take_passphrase(o, &passphrase);

	opener.passphrase = passphrase;
	for (size_t i = 0; rc == 0 && i < v->count; i++)
		rc = keyfile_open(v->files[i], &opener, &v->keys[i]);
	keyfile_opener_end(&opener);
	secret_free(passphrase);
	return rc;
}

static void wipe(struct keytool_volume *v)
{
	for (size_t i = 0; i < v->count; i++)
		secret_free(v->keys[i]);
}

/* What is done */

static void show(const char *name, const char *value)
{
	if (*value)
		printf("  %-16s %s\n", name, value);
}

static void show_one(const struct keyfile *f)
{
	printf("%s\n", field(f, EXPORTED_DEVICE));
	show("name", field(f, EXPORTED_DEVICE_NAME));
	show("provider", field(f, EXPORTED_PROVIDER));
	show("provider's ID", field(f, EXPORTED_PROVIDER_DEVICE));
	show("size in bytes", field(f, EXPORTED_SIZE));
	show("key version", field(f, EXPORTED_VERSION));
	show("LUKS UUID", field(f, EXPORTED_LUKS_UUID));
	show("file system", field(f, EXPORTED_FILESYSTEM));
	show("mount point", field(f, EXPORTED_MOUNT_POINT));
	show("access", field(f, EXPORTED_ACCESS));
	if (f->raid_members)
		printf("  %-16s %s, device %d of %d\n", "RAID", field(f, EXPORTED_RAID_NAME), f->raid_index + 1, f->raid_members);
	show("account", field(f, EXPORTED_ACCOUNT_NAME));
	show("account ID", field(f, EXPORTED_ACCOUNT));
	show("exported", field(f, EXPORTED_EXPORTED_AT));
	show("by", field(f, EXPORTED_EXPORTED_BY));
	printf("  %-16s argon2id, %u passes, %u MiB\n", "passphrase", f->cost.passes, f->cost.memory_kib >> 10);
}

static int inspect(const struct keytool_options *o, const struct keyfiles *k)
{
	for (size_t i = 0; i < k->count; i++)
		if (o->device == NULL || is_called(&k->list[i], o->device))
			show_one(&k->list[i]);
	puts("None of this is proven until the passphrase has opened it.");
	return 0;
}

static int write_all(int fd, const struct secret *key)
{
	size_t at = 0;

	while (at < key->len) {
		ssize_t n = write(fd, key->data + at, key->len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(ERR_IO, "the key cannot be written: %s", strerror(errno));
		at += (size_t)n;
	}
	return 0;
}

static int write_key(const char *path, const struct secret *key)
{
	int to_stdout = strcmp(path, "-") == 0, fd, rc;

	if (to_stdout && isatty(STDOUT_FILENO))
		return err_set(ERR_INVALID, "the key is bytes, not text: send it into a file or another program");
	if (to_stdout)
		return write_all(STDOUT_FILENO, key);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(errno == EEXIST ? ERR_CONFLICT : ERR_IO, "%s: %s", path, strerror(errno));
	rc = write_all(fd, key);
	if (rc == 0 && fsync(fd) < 0)
		rc = err_set(ERR_IO, "%s: %s", path, strerror(errno));
	close(fd);
	if (rc < 0)
		unlink(path);
	return rc;
}

static int with_keys(struct keytool_options *o, const struct keyfiles *k)
{
	struct keytool_volume v = { .count = 0 };
	const struct keyfile *first;
	int rc = choose(o, k, &first);

	/* One key is asked for here, even of an array's member. */
	if (rc == 0 && o->decrypt && first->raid_members && (o->device == NULL || strcmp(o->device, field(first, EXPORTED_RAID)) == 0 ||
		strcmp(o->device, field(first, EXPORTED_RAID_NAME)) == 0) && k->count > 1)
		rc = err_set(ERR_INVALID, "each device of a RAID has a key of its own: choose one by --device");
	if (rc == 0 && o->decrypt) {
		v.files[0] = first;
		v.count = 1;
	} else if (rc == 0) {
		rc = gather(k, first, &v);
	}
	if (rc == 0)
		rc = open_keys(o, &v);
	if (rc == 0)
		rc = o->decrypt ? write_key(o->output, v.keys[0]) : keytool_open(o, &v);
	wipe(&v);
	return rc;
}

static int run(struct keytool_options *o)
{
	const char *path = o->inspect ? o->inspect : o->decrypt ? o->decrypt : o->open;
	struct keyfiles k = { NULL, 0 };
	int rc;

	if (o->list || o->close)
		return o->list ? keytool_list(o) : keytool_close(o);
	if (path == NULL)
		return err_set(ERR_INVALID, "nothing to do; --help shows the options");
	if (o->decrypt && o->output == NULL)
		return err_set(ERR_INVALID, "--decrypt needs --output: whoever has the key reads the volume");
	rc = keyfiles_read(path, &k);
	if (rc == 0)
		rc = o->inspect ? inspect(o, &k) : with_keys(o, &k);
	keyfiles_free(&k);
	return rc;
}

static void harden(void)
{
	static const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	umask(022);
}

int main(int argc, char **argv)
{
	static struct keytool_options o;
	struct buf text = BUF_INIT;
	int rc;

	harden();
	secret_init();
	log_open_for_people("keyward-keytool", LOG_LEVEL_WARNING, NULL);
	rc = option_parse(&keytool_table, argc, argv, &o);
	if (rc == 0 && o.help) {
		option_help(&keytool_table, &text);
		fputs(buf_str(&text), stdout);
		buf_free(&text);
	} else if (rc == 0 && o.version) {
		puts("keyward-keytool " HOST_AGENT_VERSION);
	} else if (rc == 0) {
		rc = run(&o);
	}
	secret_free(o.passphrase);
	if (rc < 0)
		fprintf(stderr, "keyward-keytool: %s\n", err_text());
	return rc == 0 ? DONE : rc == ERR_INVALID ? USAGE : FAILED;
}
