/* root.c - `keyward rotate`, `keyward key`: another root key or another provider of it, another key of a tenant; and what becomes of the
 * former ones.
 *
 * keyward-keyd itself, as a program of root's, makes root keys and keeps their list; the running key service reads it when it is told. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/prompt.h"
#include "keys/client.h"
#include "store/backup.h"
#include "store/rewrap.h"

#define TIMEOUT_MS 60000         /* a passphrase is slow to try, a token may be, too */
#define PASSPHRASE_MAX 1024
#define LINE_MAX_SIZE 2048

/* On the list of root keys; -1: not held. The keyward-keyd that changes the list holds it, too, since it goes on where this command is killed. */
static int lock_held = -1;

char *admin_keys_path(const struct admin *a, const char *name)
{
	const char *folder = conf_get(&a->conf, CONF_KEYD_KEYS);

	return *folder ? mem_printf("%s/%s", folder, name) : mem_printf("%s/keys/%s", conf_get(&a->conf, CONF_STATE), name);
}

/* keyward-keyd with ARGV, TYPED (may be NULL) as its standard input; the line that it prints, which the caller frees. What it says goes to
 * standard error. */
static int run_keyd(const struct admin *a, char **argv, const struct secret *typed, char **line)
{
	int in[2], out[2], status = 0;
	char text[LINE_MAX_SIZE];
	ssize_t n, have = 0;
	pid_t pid;

	if (pipe2(in, 0) < 0 || pipe2(out, 0) < 0)
		return err_set(ERR_IO, "pipe: %s", strerror(errno));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		for (int fd = 3; fd < 256; fd++)
			if (fd != lock_held)
				close(fd);
		if (lock_held >= 0)
			fcntl(lock_held, F_SETFD, 0);
		execv(conf_get(&a->conf, CONF_KEYD_PROGRAM), argv);
		fprintf(stderr, "%s: %s (setting keyd.program)\n", conf_get(&a->conf, CONF_KEYD_PROGRAM), strerror(errno));
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	if (typed && (write(in[1], typed->data, typed->len) != (ssize_t)typed->len || write(in[1], "\n", 1) != 1))
		status = -1;
	close(in[1]);
	while (have < (ssize_t)sizeof text - 1 && (n = read(out[0], text + have, sizeof text - 1 - (size_t)have)) > 0)
		have += n;
	close(out[0]);
	text[have] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(ERR_UNAVAILABLE, "keyward-keyd has refused: see above");
	*line = mem_strdup(text);
	return 0;
}

static int ask_twice(const char *provider, struct secret **out)
{
	struct secret *again = NULL;
	int token = strcmp(provider, "passphrase") != 0;
	int rc = prompt_secret(token ? "PIN of the token: " : "Passphrase of the new root key: ", PASSPHRASE_MAX, out);

	if (rc == 0 && !token && prompt_is_person())
		rc = prompt_secret("Once more: ", PASSPHRASE_MAX, &again);
	if (rc == 0 && again && !secret_equal(*out, again))
		rc = err_set(ERR_INVALID, "the two are not the same");
	secret_free(again);
	return rc;
}

/* Where it goes when nobody says: a file of its own beside the others. */
static int place(const struct admin *a, const char *provider, const char *given, char **out)
{
	char id[UUID_TEXT_SIZE], *name;
	const struct uuid made = uuid_new();

	if (given) {
		*out = mem_strdup(given);
		return 0;
	}
	if (strcmp(provider, "file") != 0 && strcmp(provider, "passphrase") != 0)
		return err_set(ERR_INVALID, "say where: provider %s does not keep its keys in files of ours (docs/keys.md)", provider);
	uuid_text(&made, id);
	name = mem_printf("root-%.23s.key", id);
	*out = admin_keys_path(a, name);
	free(name);
	return 0;
}

struct change {
	const struct admin *a;
	struct keys_client keys;
	struct keys_roots roots;
	const struct keys_root *active;
	char id[UUID_TEXT_SIZE];
};

static int look(struct admin *a, struct change *c)
{
	int rc;

	if (c->a == NULL)
		keys_client_init(&c->keys, conf_get(&a->conf, CONF_KEYD_SOCKET), TIMEOUT_MS);
	c->a = a;
	rc = keys_roots(&c->keys, &c->roots);
	if (rc == 0 && (c->roots.count == 0 || !c->roots.roots[c->roots.count - 1].active))
		rc = err_set(ERR_SEALED, "the key service does not have the root key in use: see keyward status");
	if (rc < 0)
		return rc;
	c->active = &c->roots.roots[c->roots.count - 1];
	uuid_text(&c->active->id, c->id);
	return c->active->sealed ? err_set(ERR_SEALED, "the root key is sealed: keyward unseal") : 0;
}

static int make_root(struct change *c, const char *provider, const char *where, const struct secret *passphrase)
{
	char program[] = "keyward-keyd", new_root[] = "--new-root", p[] = "--provider", l[] = "--location", r[] = "--roots", k[] = "--root-key",
		n[] = "--present", u[] = "--user";
	char *name = mem_strdup(provider), *at = mem_strdup(where), *roots = admin_keys_path(c->a, "roots"), *first = admin_keys_path(c->a,
		"root.key"), *present = mem_printf("%s:%s", c->active->provider, c->id), *made = NULL;
	const char *told = conf_get(&c->a->conf, CONF_KEYD_ROOT);
	char *argv[] = { program, new_root, p, name, l, at, r, roots, k, *told ? mem_strdup(told) : mem_strdup(first), n, present, u,
		mem_strdup(conf_get(&c->a->conf, CONF_KEYD_USER)), NULL };
	int rc = run_keyd(c->a, argv, passphrase, &made);

	if (rc == 0)
		printf("new root key %s (%s, %s)\n", made, provider, where);
	free(argv[9]);
	free(argv[13]);
	free(name);
	free(at);
	free(roots);
	free(first);
	free(present);
	free(made);
	return rc;
}

/* Needs a person's word: a passphrase always, a token unless its PIN is in a file. */
static int is_told(const char *provider, const char *where)
{
	return strcmp(provider, "passphrase") == 0 || (strcmp(provider, "pkcs11") == 0 && strstr(where, "pin-source=") == NULL);
}

static int make_and_load(struct change *c, const char *provider, const char *where)
{
	const struct uuid request = uuid_new();
	struct secret *passphrase = NULL;
	int rc = is_told(provider, where) ? ask_twice(provider, &passphrase) : 0;

	if (rc == 0)
		rc = make_root(c, provider, where, passphrase);
	if (rc == 0)
		rc = keys_roots_reload(&c->keys, &request, passphrase);
	if (rc == 0)
		rc = keys_roots(&c->keys, &c->roots);
	c->active = &c->roots.roots[c->roots.count - 1];
	secret_free(passphrase);
	return rc;
}

static int start_job(struct admin *a, const struct keys_root *root)
{
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_JOBS, NULL, &db);

	if (rc == 0)
		rc = admin_end(db, root_rotation_start(db, &root->id, root->provider));
	return rc;
}

/* 1 while the last one is not finished. */
static int is_under_way(struct admin *a)
{
	json_t *row = NULL;
	struct db *db;
	int running = 0, rc = admin_begin(a, CONF_DATABASE_JOBS, NULL, &db);

	if (rc < 0)
		return rc;
	rc = root_rotation_last(db, &row);
	if (rc == 0 && !json_is_null(row))
		running = strcmp(json_string_value(json_object_get(row, "state")), "running") == 0;
	json_decref(row);
	rc = admin_end(db, rc);
	return rc < 0 ? rc : running;
}

/* A new root key that was made but whose rotation nobody has begun: this command was broken off. */
static int is_left_over(struct admin *a, const struct change *c)
{
	int64_t left = 0, all;
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_JOBS, NULL, &db);

	if (rc == 0)
		rc = admin_end(db, root_rotation_left(db, &c->active->id, &left, &all));
	return rc < 0 ? rc : c->roots.count > 1 && left > 0;
}

/* Of two at once each would make a root key, and the list would know one of them. */
static int lock(const struct admin *a)
{
	char *path = admin_keys_path(a, "roots.lock");
	int rc = 0;

	lock_held = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_held < 0)
		rc = err_set(ERR_IO, "%s: %s", path, strerror(errno));
	else if (flock(lock_held, LOCK_EX | LOCK_NB) < 0)
		rc = err_set(ERR_BUSY, "another keyward is making or retiring a root key at this moment: wait until it has ended");
	free(path);
	return rc;
}

/* ACT while nobody else changes root keys. */
static int alone(struct admin *a, int argc, char **argv, int (*act)(struct admin *a, int argc, char **argv))
{
	int rc = lock(a);

	if (rc == 0)
		rc = act(a, argc, argv);
	if (lock_held >= 0)
		close(lock_held);
	lock_held = -1;
	return rc;
}

/* Twice in a row does no harm: what is under way goes on. */
static int rotate_root(struct admin *a, int argc, char **argv)
{
	const struct uuid request = uuid_new();
	struct change c = { .a = NULL };
	char *where = NULL;
	int unfinished, rc = look(a, &c);

	unfinished = rc < 0 ? rc : is_under_way(a);
	/* A list that was written, and a key service that was not told. */
	if (unfinished == 0 && c.roots.count > 0 && keys_roots_reload(&c.keys, &request, NULL) == 0 && (rc = look(a, &c)) == 0)
		unfinished = is_left_over(a, &c);
	rc = unfinished < 0 ? unfinished : 0;
	if (rc == 0 && !unfinished) {
		const char *provider = argc > 0 ? argv[0] : c.active->provider;

		rc = place(a, provider, argc > 1 ? argv[1] : NULL, &where);
		if (rc == 0)
			rc = make_and_load(&c, provider, where);
	} else if (rc == 0) {
		puts("a rotation is under way: it goes on");
	}
	if (rc == 0)
		rc = start_job(a, c.active);
	if (rc == 0)
		puts("keyward-jobd wraps everything again; `keyward key list` shows how far it is");
	free(where);
	keys_client_close(&c.keys);
	return rc;
}

int admin_rotate_root(struct admin *a, int argc, char **argv)
{
	return alone(a, argc, argv, rotate_root);
}

static void show_rotation(const json_t *row)
{
	const char *error = json_string_value(json_object_get(row, "error"));

	printf("rotation to %s: %s, %lld of %lld secrets, begun %s%s%s\n", json_string_value(json_object_get(row, "root")),
		json_string_value(json_object_get(row, "state")), json_integer_value(json_object_get(row, "done")),
		json_integer_value(json_object_get(row, "total")), json_string_value(json_object_get(row, "started")), error ? ": " : "",
		error ? error : "");
}

static int show_root(struct db *db, const struct keys_root *root, const struct uuid *identity)
{
	char id[UUID_TEXT_SIZE];
	int64_t under = 0;
	int rc = root_rotation_under(db, &root->id, &under);

	uuid_text(&root->id, id);
	under += uuid_equal(identity, &root->id);
	if (rc == 0)
		printf("%s  %-10s  %-6s  %-6s  %lld secrets under it%s\n", id, root->provider, root->active ? "in use" : "former",
			root->sealed ? "sealed" : "open", (long long)under, root->active || under ? "" : ": it can be retired");
	return rc;
}

int admin_key_list(struct admin *a, int argc, char **argv)
{
	struct change c = { .a = NULL };
	json_t *row = NULL;
	struct db *db = NULL;
	int rc = look(a, &c);

	(void)argc;
	(void)argv;
	if (rc == 0)
		rc = admin_begin(a, CONF_DATABASE_JOBS, NULL, &db);
	for (size_t i = 0; rc == 0 && i < c.roots.count; i++)
		rc = show_root(db, &c.roots.roots[i], &c.roots.identity);
	if (rc == 0)
		rc = root_rotation_last(db, &row);
	if (rc == 0 && !json_is_null(row))
		show_rotation(row);
	json_decref(row);
	if (db)
		rc = admin_end(db, rc);
	keys_client_close(&c.keys);
	return rc;
}

static int check_unused(struct db *db, const struct change *c, const struct uuid *root)
{
	int64_t under = 0;
	int rc = root_rotation_under(db, root, &under);

	if (rc < 0)
		return rc;
	if (uuid_equal(root, &c->active->id))
		return err_set(ERR_CONFLICT, "this is the root key in use");
	if (under || uuid_equal(root, &c->roots.identity))
		return err_set(ERR_CONFLICT, "%lld secrets are under this root key still: keyward rotate root", (long long)under + (under == 0));
	return 0;
}

static int drop(const struct change *c, const char *id, int destroy)
{
	char program[] = "keyward-keyd", drop_root[] = "--drop-root", r[] = "--roots", d[] = "--destroy";
	char *which = mem_strdup(id), *roots = admin_keys_path(c->a, "roots"), *said = NULL;
	char *argv[] = { program, drop_root, which, r, roots, destroy ? d : NULL, NULL };
	int rc = run_keyd(c->a, argv, NULL, &said);

	if (rc == 0)
		puts(said);
	free(which);
	free(roots);
	free(said);
	return rc;
}

/* What nobody can read afterwards, and what still can be used. REFUSED: there is no backup but such as were made under this key. */
static int weigh_destruction(struct db *db, const struct admin *a, int *refused)
{
	struct backup_left left;
	char moved[CLOCK_TEXT_SIZE], oldest[CLOCK_TEXT_SIZE];
	int rc = backup_left(db, &left);

	if (rc < 0)
		return rc;
	clock_text(left.moved, moved);
	clock_text(left.oldest, oldest);
	printf("Copies of the database from before %s that `keyward backup` has not made (a WAL archive, say) can be read by nobody afterwards.\n", moved);
	if (left.before)
		printf("%lld backups in %s, the oldest of %s, are under this key. They contain the files of root keys, so they can be restored still: whoever "
			"has them and their private key has this root key, too, until they are removed.\n", (long long)left.before,
			conf_get(&a->conf, CONF_BACKUP_FOLDER), oldest);
	*refused = left.before && left.after == 0;
	return 0;
}

static int may_destroy(struct db *db, const struct admin *a, int anyway)
{
	char line[16] = "";
	int refused, rc = weigh_destruction(db, a, &refused);

	if (rc == 0 && refused && !anyway)
		return err_set(ERR_CONFLICT, "there is no backup yet that does without this root key: `keyward backup` first, or say \"destroy anyway\"");
	if (rc < 0 || !prompt_is_person())
		return rc;
	printf("Destroy it? Type \"destroy\": ");
	fflush(stdout);
	if (fgets(line, sizeof line, stdin) == NULL || strcmp(line, "destroy\n") != 0)
		return err_set(ERR_INVALID, "nothing was done");
	return 0;
}

/* With the log entry's transaction open, so that nobody retires what is not noted. */
static int retire(struct admin *a, int argc, char **argv)
{
	const struct uuid request = uuid_new();
	int destroy = argc > 1, anyway = argc > 2, rc;
	struct db *db = NULL;
	struct change c = { .a = NULL };
	struct uuid root;

	if (destroy && strcmp(argv[1], "destroy") != 0)
		return err_set(ERR_INVALID, "the second word can be \"destroy\" only");
	if (anyway && strcmp(argv[2], "anyway") != 0)
		return err_set(ERR_INVALID, "the third word can be \"anyway\" only");
	rc = look(a, &c);
	if (rc == 0)
		rc = uuid_parse(argv[0], &root);
	if (rc == 0)
		rc = admin_begin(a, CONF_DATABASE_JOBS, NULL, &db);
	if (rc == 0)
		rc = check_unused(db, &c, &root);
	if (rc == 0 && destroy)
		rc = may_destroy(db, a, anyway);
	if (rc == 0)
		rc = root_rotation_retired(db, &root, destroy);
	if (rc == 0)
		rc = drop(&c, argv[0], destroy);
	if (rc == 0)
		rc = keys_roots_reload(&c.keys, &request, NULL);
	if (db)
		rc = admin_end(db, rc);
	keys_client_close(&c.keys);
	return rc;
}

int admin_key_retire(struct admin *a, int argc, char **argv)
{
	return alone(a, argc, argv, retire);
}

int admin_rotate_tenant(struct admin *a, int argc, char **argv)
{
	struct uuid tenant;
	struct db *db;
	int rc = admin_begin_tenant(a, CONF_DATABASE_JOBS, argv[0], &tenant, &db);

	(void)argc;
	if (rc == 0)
		rc = admin_end(db, tenant_rotation_start(db));
	if (rc == 0)
		puts("keyward-jobd wraps the tenant's keys again under a new one; page Keys of its console shows how far it is");
	return rc;
}
