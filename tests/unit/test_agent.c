/* test_agent.c - what the guest's programs stand on: configuration, options, registration, signing key, names,
 * back-off. */
#include "check.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/common/conf.h"
#include "agent/common/option.h"
#include "agent/common/pem.h"
#include "agent/common/proxy.h"
#include "agent/common/registration.h"
#include "agent/daemon/hotplug.h"
#include "agent/daemon/script.h"
#include "agent/guest/claims.h"
#include "agent/guest/guest.h"
#include "agent/guest/holders.h"
#include "agent/guest/link.h"
#include "agent/guest/mountunit.h"
#include "agent/provider/block.h"
#include "agent/tool/batch.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

/* Before the first secret of any test. */
static __attribute__((constructor)) void start(void)
{
	secret_init();
}

static char *folder(void)
{
	char *path = mem_strdup("/tmp/keyward-unit-XXXXXX");

	CHECK(mkdtemp(path) != NULL);
	return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	return remove(path);
}

static void drop(char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(path);
}

static int load(const char *dir, const char *text, struct agent_conf *out)
{
	char *path = mem_printf("%s/agent.conf", dir);
	int rc = file_write(path, text, strlen(text), 0600);

	if (rc == 0)
		rc = agent_conf_load(path, out);
	free(path);
	return rc;
}

TEST(conf_reads_settings_and_defaults, "AGT-6")
{
	char *dir = folder(), item[256], id[PROTO_ID_MAX + 1], point[PROTO_PATH_MAX + 1];
	struct agent_conf c;
	size_t cursor = 0, mounts = 0;
	int access;

	CHECK_INT(load(dir,
		"# comment\nurl = https://a.example \n devices=/srv/a.img\ndevices = /srv/b.img\nheartbeat = 7\n"
		"mount = file:/srv/a.img,read-only,/mnt/a, with comma\nignore_ssl_errors = yes\n", &c), 0);
	CHECK_STR(agent_conf_text(&c, AGENT_URL), "https://a.example");
	CHECK_STR(agent_conf_text(&c, AGENT_PROVIDER), "");
	CHECK_INT(agent_conf_number(&c, AGENT_HEARTBEAT), 7);
	CHECK_INT(agent_conf_number(&c, AGENT_SCRIPT_SECONDS), 60);
	CHECK_INT(agent_conf_flag(&c, AGENT_IGNORE_SSL_ERRORS), 1);
	CHECK_INT(agent_conf_flag(&c, AGENT_WIPE), 0);
	CHECK_INT(agent_conf_item(&c, AGENT_DEVICES, &cursor, item, sizeof item), 1);
	CHECK_STR(item, "/srv/a.img");
	CHECK_INT(agent_conf_item(&c, AGENT_DEVICES, &cursor, item, sizeof item), 1);
	CHECK_STR(item, "/srv/b.img");
	CHECK_INT(agent_conf_item(&c, AGENT_DEVICES, &cursor, item, sizeof item), 0);
	CHECK_INT(agent_conf_next_mount(&c, &mounts, id, &access, point), 1);
	CHECK_STR(id, "file:/srv/a.img");
	CHECK_INT(access, PROTO_ACCESS_READ_ONLY);
	CHECK_STR(point, "/mnt/a, with comma");
	CHECK_INT(agent_conf_next_mount(&c, &mounts, id, &access, point), 0);
	CHECK_INT(agent_conf_set(&c, "heartbeat", "9"), 0);
	CHECK_INT(agent_conf_number(&c, AGENT_HEARTBEAT), 9);
	agent_conf_free(&c);
	drop(dir);
}

TEST(conf_refuses_what_it_does_not_know, "AGT-6")
{
	static const char *const wrong[] = {
		"urll = x\n", "url\n", "url = a\nurl = b\n", "heartbeat = soon\n", "heartbeat = -1\n", "heartbeat = 3601\n",
		"ignore_ssl_errors = maybe\n", "ca_file = relative\n", "devices = relative\n", "devices =\n",
		"log_level = loud\n", "account = 12\n", "mount = a,read-write\n", "mount = a,all,/x\n",
		"mount = a,read-only,x\n", "mount = ,read-only,/x\n",
	};
	char *dir = folder();
	struct agent_conf c = { { NULL } };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (load(dir, wrong[i], &c) != ERR_INVALID)
			printf("    accepted: %s", wrong[i]);
		CHECK_INT(load(dir, wrong[i], &c), ERR_INVALID);
		CHECK(strstr(err_text(), "line ") != NULL);
	}
	CHECK_INT(agent_conf_load("/nonexistent/agent.conf", &c), ERR_NOT_FOUND);
	CHECK(c.values[0] == NULL);
	drop(dir);
}

TEST(conf_example_is_the_table, "AGT-6")
{
	char *path = mem_strdup(SOURCE_ROOT "/packaging/agent.conf.example");
	struct buf want = BUF_INIT, got = BUF_INIT;

	agent_conf_help(&want);
	CHECK_INT(file_read(path, 65536, &got), 0);
	CHECK(strstr(buf_str(&got), buf_str(&want)) != NULL);
	buf_free(&want);
	buf_free(&got);
	free(path);
}

struct opts {
	int flag;
	const char *text;
	long number;
	struct secret *secret;
};

static const struct option_row rows[] = {
	{ .kind = OPTION_GROUP, .help = "All of them" },
	{ 'f', "flag", OPTION_FLAG, offsetof(struct opts, flag), NULL, "a flag" },
	{ 't', "text", OPTION_TEXT, offsetof(struct opts, text), "TEXT", "a text" },
	{ 0, "number", OPTION_NUMBER, offsetof(struct opts, number), "N", "a number", 1, 10 },
	{ 0, "number-file", OPTION_TEXT, offsetof(struct opts, text), "FILE", "a number from a file" },
	{ 's', "secret", OPTION_SECRET, offsetof(struct opts, secret), "PW", "a secret" },
};
static const struct option_rule rules[] = {
	{ OPTION_EXCLUDES, "number", "number-file" },
	{ OPTION_NEEDS, "number-file", "flag" },
};
static const struct option_table table = { "prog", "Does it.", rows, ARRAY_LEN(rows), rules, ARRAY_LEN(rules) };
static char line_copy[256];

static int parse(struct opts *o, const char *line)
{
	char *argv[16] = { NULL }, *rest = line_copy, *word;
	int argc = 0;

	snprintf(line_copy, sizeof line_copy, "prog %s", line);
	while ((word = strsep(&rest, " ")) != NULL && argc < 15)
		if (*word)
			argv[argc++] = word;
	*o = (struct opts){ 0, NULL, 5, NULL };
	return option_parse(&table, argc, argv, o);
}

TEST(options_follow_their_table, "CFG-2")
{
	struct buf help = BUF_INIT;
	struct opts o;

	CHECK_INT(parse(&o, "-f --text=a --number 7"), 0);
	CHECK_INT(o.flag, 1);
	CHECK_STR(o.text, "a");
	CHECK_INT(o.number, 7);
	CHECK_INT(parse(&o, "-t b"), 0);
	CHECK_INT(o.flag, 0);
	CHECK_INT(o.number, 5);
	CHECK_INT(parse(&o, "--unknown"), ERR_INVALID);
	CHECK(strstr(err_text(), "--unknown") != NULL);
	CHECK_INT(parse(&o, "-z"), ERR_INVALID);
	CHECK_INT(parse(&o, "-t"), ERR_INVALID);
	CHECK_INT(parse(&o, "--number 11"), ERR_INVALID);
	CHECK_INT(parse(&o, "--number 0"), ERR_INVALID);
	CHECK_INT(parse(&o, "--number x"), ERR_INVALID);
	CHECK_INT(parse(&o, "--flag=1"), ERR_INVALID);
	CHECK_INT(parse(&o, "word"), ERR_INVALID);
	option_help(&table, &help);
	CHECK(strstr(buf_str(&help), "All of them:") && strstr(buf_str(&help), "-f, --flag") && strstr(buf_str(&help), "--number N") && strstr(buf_str(&help),
		"a text"));
	buf_free(&help);
}

static void refused(const char *line, const char *why)
{
	struct opts o;

	CHECK_INT(parse(&o, line), ERR_INVALID);
	if (strstr(err_text(), why) == NULL)
		printf("    %s: %s\n", line, err_text());
	CHECK(strstr(err_text(), why) != NULL);
	secret_free(o.secret);
}

TEST(mistakes_in_options_are_explained, "CFG-2")
{
	refused("--falg", "did you mean --flag?");
	refused("--nmber=3", "there is no option --nmber; did you mean --number?");
	refused("--zzzzzzzz", "there is no option --zzzzzzzz");
	refused("-z", "there is no option -z");
	refused("--t", "needs a value: TEXT");
	refused("--num 3", "--number, --number-file");
	refused("--text", "--text needs a value: TEXT");
	refused("-t", "--text needs a value: TEXT");
	refused("--flag=1", "--flag takes no value");
	refused("--number 11", "from 1 to 10");
	refused("--number 3 --number-file f -f", "--number and --number-file exclude each other");
	refused("--number-file f", "--number-file needs --flag too");
	CHECK(option_nearest(&table, "scret") && strcmp(option_nearest(&table, "scret"), "secret") == 0);
	CHECK(option_nearest(&table, "a-word-that-is-longer-than-any-option-could-ever-be") == NULL);
}

TEST(secrets_among_options_are_overwritten, "CFG-2,SEC-4")
{
	static const char *const lines[] = { "-s geheim -f", "--secret=geheim -f", "--secret geheim -f", "-fsgeheim" };
	struct opts o;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		CHECK_INT(parse(&o, lines[i]), 0);
		CHECK(o.flag && o.secret && o.secret->len == 7 && strcmp((char *)o.secret->data, "geheim") == 0);
		CHECK(memmem(line_copy, sizeof line_copy, "geheim", 6) == NULL);
		secret_free(o.secret);
	}
	CHECK_INT(parse(&o, "-s one -s two"), 0);
	CHECK(o.secret && strcmp((char *)o.secret->data, "two") == 0);
	CHECK(memmem(line_copy, sizeof line_copy, "one", 3) == NULL);
	secret_free(o.secret);
}

/* The mistakes of TEXT, each in a line, "" for none; the batch stays for a look. */
static struct batch batch;

static char *mistakes_of(const char *text)
{
	struct buf mistakes = BUF_INIT;
	int rc = batch_parse(text, strlen(text), &batch, &mistakes);

	CHECK_INT(rc, mistakes.len ? ERR_INVALID : 0);
	return mistakes.len ? buf_take(&mistakes) : mem_strdup("");
}

TEST(batch_files_become_proposals, "CFG-2")
{
	char *said = mistakes_of("# two devices\n[device1]\nid = serial:a b\nmountpoint=/srv/data\n\n[device2]\n id=/dev/vdc\n"
		"mountpoint = /srv/more\nfilesystem = xfs\naccess = ro\nkeysize = 192\nmode = cbc-essiv\nlabel = Second\n"
		"overwrite = /dev/vdc\nos = linux");
	const struct proto_proposal *w = &batch.devices[0].want;

	CHECK_STR(said, "");
	CHECK_INT(batch.count, 2);
	CHECK(strcmp(w->device, "serial:a b") == 0 && strcmp(w->mount_point, "/srv/data") == 0 && strcmp(w->filesystem, "ext4") == 0);
	CHECK(w->access == PROTO_ACCESS_READ_WRITE && w->key_bits == 256 && strcmp(w->mode, "xts-plain64") == 0 && !w->overwrite);
	w = &batch.devices[1].want;
	CHECK(w->access == PROTO_ACCESS_READ_ONLY && w->key_bits == 192 && strcmp(w->mode, "cbc-essiv:sha256") == 0 && w->overwrite);
	CHECK(strcmp(w->label, "Second") == 0 && batch.devices[1].line == 6 && strcmp(batch.devices[1].section, "device2") == 0);
	free(said);
}

TEST(every_mistake_of_a_batch_file_is_named, "CFG-2")
{
	static const struct { const char *text, *said; } wrong[] = {
		{ "", "no device is named" },
		{ "id = x\n", "line 1: a section's heading comes first" },
		{ "[device1\n", "line 1: a section's heading is [NAME]" },
		{ "[]\n", "line 1: a section's heading is [NAME]" },
		{ "[d]\nmountpoint=/srv/x\n", "line 1, [d]: id is missing" },
		{ "[d]\nid=x\n", "line 1, [d]: mountpoint is missing" },
		{ "[d]\nid=x\nmountpoint=/etc\n", "line 3, [d]: mountpoint: The system itself lives there" },
		{ "[d]\nid=x\nmountpoint=srv\n", "line 3, [d]: mountpoint: An absolute path" },
		{ "[d]\nid=x\nmountpoint=/srv/x\nfilesystem=ntfs\n", "line 4, [d]: filesystem is ext3, ext4 or xfs, not \"ntfs\"" },
		{ "[d]\nid=x\nmountpoint=/srv/x\naccess=all\n", "line 4, [d]: access is read-write or read-only" },
		{ "[d]\nid=x\nmountpoint=/srv/x\nos=windows\n", "line 4, [d]: os is linux" },
		{ "[d]\nid=x\nmountpoint=/srv/x\nkeysize=512\n", "line 4, [d]: keysize is 128, 192 or 256" },
		{ "[d]\nid=x\nmountpoint=/srv/x\nkeysize=192\n", "line 4, [d]: keysize 192 needs mode = cbc-essiv" },
		{ "[d]\nid=x\nmountpoint=/srv/x\nmode=ecb\n", "line 4, [d]: mode is xts or cbc-essiv" },
		{ "[d]\nid=x\nmountpoint=/srv/x\noverwrite=yes\n", "line 4, [d]: overwrite destroys what is on the device" },
		{ "[d]\nid=x\nid=y\nmountpoint=/srv/x\n", "line 3, [d]: id is there twice" },
		{ "[d]\nid=x\nmountpoint=/srv/x\nnonsense\n", "line 4, [d]: \"name = value\" is needed" },
		{ "[d]\nid=x\nmountpoint=/srv/x\nsize=4\n", "line 4, [d]: there is no \"size\"" },
		{ "[d]\nid=x\nmountpoint=/srv/x\n[d]\nid=y\nmountpoint=/srv/y\n", "line 4: [d] is there twice" },
		{ "[d]\nid=x\nmountpoint=/srv/x\n[e]\nid=x\nmountpoint=/srv/y\n", "line 5, [e]: [d] has the same id" },
		{ "[d]\nid=x\nmountpoint=/srv/x\n[e]\nid=y\nmountpoint=/srv/x\n", "line 6, [e]: [d] has the same mountpoint" },
	};
	char *said;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		said = mistakes_of(wrong[i].text);
		if (strstr(said, wrong[i].said) == NULL)
			printf("    %s: %s\n", wrong[i].text, said);
		CHECK(strstr(said, wrong[i].said) != NULL);
		free(said);
	}
	said = mistakes_of("[d]\nid=x\nkeysize=1\nmode=2\n");
	CHECK(strstr(said, "mountpoint is missing") && strstr(said, "keysize is") && strstr(said, "mode is"));
	free(said);
}

TEST(proxies_are_taken_apart, "AGT-7")
{
	static const struct { const char *text, *url, *user, *password; } good[] = {
		{ "proxy", "http://proxy:3128", "", NULL },
		{ "http://proxy:8080/", "http://proxy:8080", "", NULL },
		{ "https://[2001:db8::1]", "https://[2001:db8::1]:443", "", NULL },
		{ "http://me@proxy:1", "http://proxy:1", "me", NULL },
		{ "me:pw@proxy:1", "http://proxy:1", "me", "pw" },
		{ "http://a%20b:p%3a%40%2541@w@proxy:1", "http://proxy:1", "a b", "p:@%41@w" },
		{ "http://me:100%@proxy:1", "http://proxy:1", "me", "100%" },
	};
	static const char *const bad[] = { "", "http://", "socks5://x:1", "http://x/y", "http://x?y", "http://@x", "http://:pw@x",
		"http://x:port", "http://a%0ab:c@x", "http://a b/" };
	struct proxy p;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CHECK_INT(proxy_parse(good[i].text, &p), 0);
		CHECK_STR(p.url, good[i].url);
		CHECK_STR(p.user, good[i].user);
		CHECK((p.password != NULL) == (good[i].password != NULL));
		if (p.password && good[i].password)
			CHECK_STR((const char *)p.password->data, good[i].password);
		proxy_clear(&p);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (proxy_parse(bad[i], &p) != ERR_INVALID)
			printf("    taken: %s\n", bad[i]);
		CHECK_INT(proxy_parse(bad[i], &p), ERR_INVALID);
	}
}

TEST(proxy_is_kept_for_its_owner_alone, "AGT-7,SEC-4")
{
	struct proxy p, again;
	char *dir = folder(), *path = mem_printf("%s/proxy-password", dir);
	struct stat st;

	CHECK_INT(proxy_load(dir, &again), ERR_NOT_FOUND);
	CHECK_INT(proxy_parse("me:pw@proxy:1", &p), 0);
	CHECK_INT(proxy_save(dir, &p), 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK_INT(proxy_load(dir, &again), 0);
	CHECK(again.password && secret_equal(again.password, p.password));
	CHECK(strcmp(again.url, p.url) == 0 && strcmp(again.user, p.user) == 0);
	proxy_clear(&again);
	CHECK_INT(chmod(path, 0644), 0);
	CHECK_INT(proxy_load(dir, &again), ERR_FORBIDDEN);
	CHECK_INT(proxy_remove(dir), 1);
	CHECK_INT(proxy_remove(dir), 0);
	CHECK(access(path, F_OK) < 0 && proxy_stamp(dir) == 0);
	proxy_clear(&p);
	free(path);
	drop(dir);
}

TEST(signing_key_survives_as_pem, "AGT-1")
{
	uint8_t made[PROTO_POINT_SIZE], read_back[PROTO_POINT_SIZE];
	struct secret *key = proto_key_new(made), *again = NULL;
	char *dir = folder(), *path = mem_printf("%s/agent.pem", dir);
	struct stat st;

	CHECK_INT(pem_write(path, key), 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK_INT(pem_read(path, &again, read_back), 0);
	CHECK(again && secret_equal(key, again));
	CHECK(memcmp(made, read_back, sizeof made) == 0);
	CHECK_INT(chmod(path, 0644), 0);
	CHECK_INT(pem_read(path, &again, read_back), ERR_FORBIDDEN);
	CHECK_INT(file_write(path, "not a key", 9, 0600), 0);
	CHECK_INT(pem_read(path, &again, read_back), ERR_INVALID);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(pem_read(path, &again, read_back), ERR_NOT_FOUND);
	secret_free(again);
	secret_free(key);
	free(path);
	drop(dir);
}

static struct registration example(void)
{
	struct registration r = { .account = uuid_new(), .agent = uuid_new(), .ignore_ssl_errors = 1 };
	struct secret *server = proto_key_new(r.server_key);

	secret_free(server);
	r.key = proto_key_new(r.public_key);
	snprintf(r.url, sizeof r.url, "https://agents.example:8443");
	snprintf(r.ca_file, sizeof r.ca_file, "/etc/ca.pem");
	snprintf(r.provider, sizeof r.provider, "native");
	snprintf(r.instance_id, sizeof r.instance_id, "machine-1");
	return r;
}

TEST(registration_is_kept_and_replaced, "AGT-1,AGT-11")
{
	char *base = folder(), *dir = mem_printf("%s/state", base), id[UUID_TEXT_SIZE], *old_key;
	struct registration a = example(), b = example(), r;
	uint64_t stamp;

	CHECK_INT(registration_folder(dir), 0);
	CHECK_INT(registration_load(dir, &r), ERR_NOT_FOUND);
	CHECK_INT(registration_stamp(dir) == 0, 1);
	CHECK_INT(registration_save(dir, &a), 0);
	CHECK_INT(registration_load(dir, &r), 0);
	CHECK(uuid_equal(&r.account, &a.account) && uuid_equal(&r.agent, &a.agent));
	CHECK(memcmp(r.server_key, a.server_key, sizeof r.server_key) == 0);
	CHECK(memcmp(r.public_key, a.public_key, sizeof r.public_key) == 0 && secret_equal(r.key, a.key));
	CHECK_STR(r.url, a.url);
	CHECK_STR(r.ca_file, a.ca_file);
	CHECK_STR(r.instance_id, a.instance_id);
	CHECK_INT(r.ignore_ssl_errors, 1);
	registration_clear(&r);
	stamp = registration_stamp(dir);
	CHECK_INT(registration_save(dir, &b), 0);
	CHECK(registration_stamp(dir) != stamp);
	CHECK_INT(registration_load(dir, &r), 0);
	CHECK(uuid_equal(&r.agent, &b.agent));
	registration_clear(&r);
	uuid_text(&a.agent, id);
	old_key = mem_printf("%s/agent-%s.pem", dir, id);
	CHECK(access(old_key, F_OK) < 0);
	CHECK_INT(chmod(dir, 0755), 0);
	CHECK_INT(registration_folder(dir), ERR_FORBIDDEN);
	registration_clear(&a);
	registration_clear(&b);
	free(old_key);
	free(dir);
	drop(base);
}

TEST(registration_without_its_key_is_an_error, "AGT-1")
{
	char *dir = folder(), id[UUID_TEXT_SIZE], *key;
	struct registration a = example(), r;

	CHECK_INT(registration_save(dir, &a), 0);
	uuid_text(&a.agent, id);
	key = mem_printf("%s/agent-%s.pem", dir, id);
	CHECK_INT(unlink(key), 0);
	CHECK_INT(registration_load(dir, &r), ERR_IO);
	registration_clear(&a);
	free(key);
	drop(dir);
}

TEST(made_instance_id_stays, "AGT-1")
{
	char *dir = folder(), a[PROTO_ID_MAX + 1], b[PROTO_ID_MAX + 1];

	CHECK_INT(registration_instance_id(dir, a), 0);
	CHECK_INT(registration_instance_id(dir, b), 0);
	CHECK_STR(a, b);
	CHECK_INT((int)strlen(a), 36);
	drop(dir);
}

TEST(files_have_ids_by_their_path, "CSP-2")
{
	char *dir = folder(), *path = mem_printf("%s/a.img", dir), *want, *link = mem_printf("%s/b.img", dir);
	struct proto_device d;

	CHECK_INT(file_write(path, "0123456789", 10, 0600), 0);
	CHECK_INT(symlink(path, link), 0);
	want = mem_printf("file:%s", path);
	CHECK_INT(block_describe(path, &d), 0);
	CHECK_STR(d.id, want);
	CHECK_INT(d.kind, PROTO_DEVICE_FILE);
	CHECK_INT(d.size_bytes, 10);
	CHECK_INT(block_describe(link, &d), 0);
	CHECK_STR(d.id, want);
	CHECK_INT(block_describe(dir, &d), ERR_INVALID);
	CHECK_INT(block_describe("/nonexistent", &d), ERR_NOT_FOUND);
	free(want);
	free(link);
	free(path);
	drop(dir);
}

TEST(links_refuse_what_is_no_https_url, "AGT-1")
{
	static const char *const wrong[] = { "", "agents.example", "http://agents.example", "ftp://x", "https://",
		"https://user@host" };
	struct link *l = NULL;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct link_settings s = { wrong[i], NULL, 0, -1 };

		CHECK_INT(link_open(&s, &l), ERR_INVALID);
	}
	CHECK_INT(link_open(&(struct link_settings){ "https://a.example", "/nonexistent.pem", 0, -1 }, &l), ERR_INVALID);
	CHECK(l == NULL);
}

TEST(links_explain_why_nobody_answers, "AGT-1,AGT-10")
{
	static const struct { const char *url, *text; } cases[] = {
		{ "https://127.0.0.1:9", "nobody answers at 127.0.0.1 port 9" },
		{ "https://anything.localhost:9", "nobody answers at anything.localhost port 9" },
		{ "https://no-such-name.invalid", "the name no-such-name.invalid cannot be found" },
	};
	struct buf request = BUF_INIT, answer = BUF_INIT;

	buf_puts(&request, "KWD");
	/* A proxy would be asked for the last name; for the others this shows that it is not. */
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("ALL_PROXY");
	unsetenv("all_proxy");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct link_settings s = { cases[i].url, NULL, 0, -1 };
		struct link *l = NULL;
		struct proto_transport t;

		CHECK_INT(link_open(&s, &l), 0);
		t = link_transport(l);
		CHECK_INT(t.post(t.ctx, &request, &answer), ERR_UNAVAILABLE);
		CHECK_INT(link_is_down(l), 1);
		if (strstr(err_text(), cases[i].text) == NULL)
			printf("    said: %s\n", err_text());
		CHECK(strstr(err_text(), cases[i].text) != NULL);
		link_close(l);
	}
	buf_free(&request);
	buf_free(&answer);
}

TEST(backoff_doubles_to_a_minute, "AGT-5")
{
	clock_us step = 0, total = 0;

	for (int i = 0; i < 10; i++) {
		clock_us wait = guest_backoff(&step);

		CHECK(wait <= step && wait >= step / 2);
		total += wait;
	}
	CHECK_INT(step, GUEST_BACKOFF_MOST);
	CHECK(total > 120 * CLOCK_SECOND);
	step = 0;
	CHECK(guest_backoff(&step) <= GUEST_BACKOFF_LEAST);
}

TEST(scripts_have_a_time_limit_and_a_clean_environment, "AGT-1")
{
	char *dir = folder(), *path = mem_printf("%s/run", dir), *out = mem_printf("%s/out", dir), *text;
	struct script s = { 0 };
	struct buf got = BUF_INIT;
	clock_us began;
	int status = -1;

	text = mem_printf("#!/bin/sh\nenv > %s\nexit 3\n", out);
	CHECK_INT(file_write(path, text, strlen(text), 0700), 0);
	setenv("KEYWARD_PASSPHRASE", "not for children", 1);
	CHECK_INT(script_start(&s, path, "teardown", "file:/a", "/mnt/a", "revoked", 60), 0);
	CHECK_INT(script_finish(&s, &status), 0);
	unsetenv("KEYWARD_PASSPHRASE");
	CHECK_INT(status, 3);
	CHECK_INT(file_read(out, 65536, &got), 0);
	CHECK(strstr(buf_str(&got), "KEYWARD_EVENT=teardown\n") && strstr(buf_str(&got), "KEYWARD_MOUNT_POINT=/mnt/a\n"));
	CHECK(strstr(buf_str(&got), "not for children") == NULL);
	CHECK_INT(file_write(path, "#!/bin/sh\nsleep 600 & wait\n", 27, 0700), 0);
	began = clock_ticks();
	CHECK_INT(script_start(&s, path, "teardown", NULL, NULL, NULL, 1), 0);
	CHECK_INT(script_finish(&s, &status), 0);
	CHECK_INT(status, 128 + 9);
	CHECK(clock_ticks() - began < 300 * CLOCK_SECOND);
	CHECK_INT(script_start(&s, "/nonexistent", "teardown", NULL, NULL, NULL, 1), ERR_IO);
	buf_free(&got);
	free(text);
	free(out);
	free(path);
	drop(dir);
}

TEST(claims_are_read_from_the_protected_header, "KEY-4")
{
	static const char header[] = "{\"device\":\"0190a5c4-7d10-7abc-8123-456789abcdef\",\"request\":\"0190a5c4-7d10-7abc-8123-456789abcd00\"}";
	char *encoded = encode_base64url(header, sizeof header - 1), *jwe = mem_printf("{\"protected\":\"%s\"}", encoded);
	struct sealed_expected e = { .version = 7 };
	char text[UUID_TEXT_SIZE];

	CHECK_INT(claims_read(jwe, &e), 0);
	uuid_text(&e.device, text);
	CHECK_STR(text, "0190a5c4-7d10-7abc-8123-456789abcdef");
	CHECK_INT(e.version, 7);
	CHECK_INT(claims_read("{\"protected\":\"e30\"}", &e), ERR_INVALID);
	CHECK_INT(claims_read("{}", &e), ERR_INVALID);
	CHECK_INT(claims_read("", &e), ERR_INVALID);
	free(jwe);
	free(encoded);
}

TEST(holders_name_the_process, "AGT-1")
{
	char text[256], want[32];
	int fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	snprintf(want, sizeof want, "(%d)", (int)getpid());
	CHECK(fd >= 0);
	holders_find("/dev/shm", text, sizeof text);
	CHECK(strstr(text, want) != NULL || strstr(text, "more") != NULL);
	close(fd);
	holders_find("/nonexistent", text, sizeof text);
	CHECK_STR(text, "");
}

/* What systemd-escape --path --suffix=mount says. */
TEST(mount_units_are_named_as_systemd_names_them, "AGT-9")
{
	static const struct { const char *point, *unit; } units[] = {
		{ "/srv/data", "srv-data.mount" },
		{ "/srv//data/", "srv-data.mount" },
		{ "/srv/my-data.d/.x", "srv-my\\x2ddata.d-.x.mount" },
		{ "/.hidden/a b", "\\x2ehidden-a\\x20b.mount" },
		{ "/", "-.mount" },
		{ "/srv/\xc3\xa4:_", "srv-\\xc3\\xa4:_.mount" },
	};
	char unit[MOUNTUNIT_NAME_MAX + 1], longer[MOUNTUNIT_NAME_MAX + 2];

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		CHECK_INT(mountunit_name(units[i].point, unit), 0);
		CHECK_STR(unit, units[i].unit);
	}
	memset(longer, 'x', sizeof longer - 1);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	CHECK_INT(mountunit_name(longer, unit), ERR_TOO_LARGE);
}

TEST(kernel_messages_tell_of_disks, "AGT-1")
{
	static const char added[] = "add@/devices/vdb\0ACTION=add\0DEVPATH=/devices/vdb\0SUBSYSTEM=block",
		changed[] = "change@/devices/vdb\0ACTION=change\0SUBSYSTEM=block", net[] = "add@/devices/eth1\0ACTION=add\0SUBSYSTEM=net";

	CHECK_INT(hotplug_is_block(added, sizeof added), 1);
	CHECK_INT(hotplug_is_block(added, sizeof added - 1), 0);
	CHECK_INT(hotplug_is_block(changed, sizeof changed), 0);
	CHECK_INT(hotplug_is_block(net, sizeof net), 0);
	CHECK_INT(hotplug_is_block(added, 0), 0);
	CHECK_INT(hotplug_changed(-1), 0);
}

TEST(scsi_disks_are_known_by_what_does_not_change, "CSP-2")
{
	static const unsigned char page[] = { 0, 0x80, 0, 8, ' ', 'W', 'D', '-', '4', '2', ' ', 1 };
	static const struct { const char *part, *kept; } parts[] = {
		{ "host12", "" }, { "target12:0:3", "" }, { "12:0:3:1", "0:3:1" }, { "virtio4", "" }, { "0000:00:06.0", "0000:00:06.0" },
		{ "ata2", "ata2" }, { "pci0000:00", "pci0000:00" }, { "hosted", "hosted" },
	};
	char text[16];

	CHECK_INT(block_serial_page(page, sizeof page, text, sizeof text), 1);
	CHECK_STR(text, "WD-42");
	CHECK_INT(block_serial_page(page, sizeof page, text, 4), 1);
	CHECK_STR(text, "WD-");
	CHECK_INT(block_serial_page(page, sizeof page - 1, text, sizeof text), 0);
	CHECK_INT(block_serial_page(page, 3, text, sizeof text), 0);
	CHECK_INT(block_serial_page((const unsigned char[]){ 0, 0x83, 0, 1, 'x' }, 5, text, sizeof text), 0);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		CHECK_STR(block_bus_part(parts[i].part), parts[i].kept);
}

TEST_MAIN
