/* test_integrity.c - the Integrity Check Module: each parser over files as they are found on machines, and all of it on this one. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/integrity/family.h"
#include "agent/integrity/processes.h"
#include "agent/volume/command.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "check.h"

#define FIXTURES SOURCE_ROOT "/tests/unit/facts"

static void check_json(const json_t *got, const char *want)
{
	char *text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);

	CHECK_STR(text, want);
	free(text);
}

static const char *text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* A folder of its own; files are put into it. */
static char *new_root(void)
{
	char *root = mem_strdup("/tmp/keyward-facts-XXXXXX");

	CHECK(mkdtemp(root) != NULL);
	return root;
}

static void put(const char *root, const char *path, const char *content)
{
	char *full = mem_printf("%s%s", root, path);

	for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	CHECK_INT(file_write(full, content, strlen(content), 0600), 0);
	free(full);
}

static void drop_root(char *root)
{
	char *argv[] = { (char[]){ "rm" }, (char[]){ "-r" }, root, NULL }, text[COMMAND_TEXT_MAX];

	CHECK_INT(command_run(argv, text), 0);
	free(root);
}

/* The line of an established connection ends TCP's listeners; a UDP socket with a peer serves nobody. */
TEST(services_from_the_kernels_tables, "AGT-4,RUL-9")
{
	json_t *services = json_object(), *sockets = json_object();

	CHECK_INT(services_read(FIXTURES "/net", services, sockets), 0);
	check_json(services, "{\"tcp/22\":{\"address\":[\"0.0.0.0\",\"::\"]},\"tcp/5432\":{\"address\":[\"127.0.0.1\",\"::1\"]},"
		"\"tcp/8125\":{\"address\":[\"127.0.0.1\"]},\"tcp/8443\":{\"address\":[\"2001:db8::17\"]},"
		"\"tcp/9000\":{\"address\":[\"::ffff:127.0.0.1\"]},\"udp/323\":{\"address\":[\"0.0.0.0\"]},"
		"\"udp/53\":{\"address\":[\"127.0.0.53\"]}}");
	CHECK_STR(text_of(sockets, "2060"), "tcp/22");
	CHECK(json_object_get(sockets, "3061") == NULL && json_object_get(sockets, "9999") == NULL);
	json_decref(services);
	json_decref(sockets);
}

TEST(a_table_that_cannot_be_read_is_no_table, "RUL-24")
{
	static const char *const bad[] = { "head\n 0: 0100007:16 00000000:0000 0A 0:0 0:0 0 0 0 1\n", "head\nnonsense\n",
		"head\n 0: 0100007F:1FFFF 00000000:0000 0A 0:0 0:0 0 0 0 1\n" };
	json_t *services = json_object(), *sockets = json_object();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *root = new_root();

		put(root, "/tcp", bad[i]);
		CHECK(services_read(root, services, sockets) < 0);
		drop_root(root);
	}
	CHECK_INT(services_read("/nonexistent", services, sockets), ERR_IO);
	json_decref(services);
	json_decref(sockets);
}

TEST(packages_of_dpkg_apk_and_rpm, "AGT-4,RUL-19")
{
	char rpm[] = "bash\t5.1.8-6.el9\nopenssl\t1:3.0.7-27.el9\nno tab\n\n";
	json_t *p = json_object();

	CHECK_INT(packages_read_dpkg(FIXTURES "/dpkg-status", p), 0);
	CHECK_STR(text_of(p, "adduser"), "3.134");
	CHECK_STR(text_of(p, "broken-half"), "2:1.0~rc1-3");
	CHECK(json_object_size(p) == 5 && text_of(p, "libc6") && text_of(p, "openssl") && text_of(p, "base-files"));
	json_object_clear(p);
	CHECK_INT(packages_read_apk(FIXTURES "/apk-installed", p), 0);
	check_json(p, "{\"busybox\":\"1.36.1-r5\",\"musl\":\"1.2.4-r2\"}");
	json_object_clear(p);
	CHECK_INT(packages_take_rpm(rpm, p), 0);
	check_json(p, "{\"bash\":\"5.1.8-6.el9\",\"openssl\":\"1:3.0.7-27.el9\"}");
	CHECK_INT(packages_read_dpkg("/nonexistent", p), ERR_NOT_FOUND);
	json_decref(p);
}

TEST(commands_have_a_time_and_a_size, "AGT-4,SEC-5")
{
	char *echo[] = { (char[]){ "printf" }, (char[]){ "a\\tb\\n" }, NULL }, *sleep[] = { (char[]){ "sleep" }, (char[]){ "60" }, NULL };
	char *yes[] = { (char[]){ "yes" }, NULL }, *no[] = { (char[]){ "keyward-no-such-program" }, NULL };
	char *fails[] = { (char[]){ "false" }, NULL };
	struct buf out = BUF_INIT;

	CHECK_INT(command_output(echo, 60000, 100, &out), 0);
	CHECK_STR(buf_str(&out), "a\tb\n");
	CHECK_INT(command_output(sleep, 100, 100, &out), ERR_TIMEOUT);
	CHECK_INT(command_output(yes, 60000, 100000, &out), ERR_TOO_LARGE);
	CHECK_INT(command_output(no, 60000, 100, &out), ERR_NOT_FOUND);
	CHECK_INT(command_output(fails, 60000, 100, &out), 1);
	buf_free(&out);
}

TEST(updates_as_update_notifier_words_them, "AGT-4,RUL-18")
{
	static const struct { const char *text; int pending, security; } cases[] = {
		{ "\nExpanded Security Maintenance for Applications is not enabled.\n\n5 updates can be applied immediately.\n"
			"2 of these updates are standard security updates.\nTo see these additional updates run: apt list --upgradable\n\n"
			"10 additional security updates can be applied with ESM Apps.\n", 5, 2 },
		{ "\n0 updates can be applied immediately.\n\n10 additional security updates can be applied with ESM Apps.\n", 0, 0 },
		{ "\n7 updates can be installed immediately.\n1 of these updates is a security update.\n", 7, 1 },
		{ "\n12 packages can be updated.\n3 updates are security updates.\n", 12, 3 },
		{ "\n4 updates can be applied immediately.\n", 4, 0 },
		{ "", -1, -1 },
		{ "no number can be applied immediately.\n", -1, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int pending = 9, security = 9;

		updates_read(cases[i].text, &pending, &security);
		CHECK_INT(pending, cases[i].pending);
		CHECK_INT(security, cases[i].security);
	}
}

TEST(updates_as_apt_would_install_them, "AGT-4,RUL-18")
{
	char text[] = "NOTE: This is only a simulation!\nInst base-files [12.4] (12.4+deb12u15 Debian:12.15/oldstable [amd64])\n"
		"Inst libgcrypt20 [1.10.1-3] (1.10.1-3+deb12u1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64]) []\n"
		"Inst tzdata [2023c] (2024a Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [all])\n"
		"Inst linux-image-6.1.0-38-amd64 (6.1.147-1 Debian-Security:12/stable-security [amd64])\n"
		"Conf base-files (12.4+deb12u15 Debian:12.15/oldstable [amd64])\nInst \nInst x\nInst y [1]\n";
	char nothing[] = "";
	int pending = 9, security = 9;

	updates_take_apt(text, &pending, &security);
	CHECK_INT(pending, 3);
	CHECK_INT(security, 2);
	updates_take_apt(nothing, &pending, &security);
	CHECK(pending == 0 && security == 0);
}

static json_t *products(const char *root, const char *packages, const char *processes)
{
	json_t *p = packages ? json_loads(packages, 0, NULL) : NULL, *r = processes ? json_loads(processes, 0, NULL) : NULL;
	json_t *found = products_find(root, p, r);

	json_decref(p);
	json_decref(r);
	return found;
}

#define CVD "ClamAV-VDB:20 Nov 2026 04-41 -0400:27101:2067382:90:c1b2a3:dsig:raynman:1795000000"
#define OLD_CVD "ClamAV-VDB:16 Sep 2026 08-41 +0000:27040:2067382:90:c1b2a3:dsig:raynman:1795000000"

TEST(clamav_with_its_patterns, "AGT-4,RUL-13,RUL-14,RUL-15")
{
	char *root = new_root();
	json_t *found;

	found = products(root, "{\"bash\":\"5\"}", "{\"clamd\":1}");
	check_json(found, "{}");
	json_decref(found);
	put(root, "/usr/sbin/clamd", "");
	put(root, "/var/lib/clamav/daily.cvd", OLD_CVD);
	put(root, "/var/lib/clamav/daily.cld", CVD);
	found = products(root, "{\"clamav-daemon\":\"1.0.7+dfsg-1~deb12u1\"}", "{\"clamd\":1,\"sshd\":2}");
	check_json(found, "{\"clamav\":{\"engine\":\"1.0.7\",\"label\":\"ClamAV\",\"pattern\":\"27101\",\"pattern_date\":"
		"\"2026-11-20T08:41:00.000Z\",\"running\":true,\"version\":\"1.0.7\"}}");
	json_decref(found);
	/* Older patterns beside newer ones do not count, whichever file they are in; without a list of processes nobody knows. */
	put(root, "/var/lib/clamav/daily.cld", OLD_CVD);
	put(root, "/var/lib/clamav/daily.cvd", CVD);
	found = products(root, NULL, NULL);
	check_json(found, "{\"clamav\":{\"label\":\"ClamAV\",\"pattern\":\"27101\",\"pattern_date\":\"2026-11-20T08:41:00.000Z\"}}");
	json_decref(found);
	found = products(root, NULL, "{}");
	CHECK(json_is_false(json_object_get(json_object_get(found, "clamav"), "running")));
	json_decref(found);
	drop_root(root);
}

TEST(pattern_headers_that_are_none, "RUL-15,RUL-24,SEC-5")
{
	static const char *const bad[] = { "", "ClamAV", "ClamAV-VDB:", "ClamAV-VDB:20 Nov 2026", "ClamAV-VDB:x::", "ClamAV-VDB:x:y:",
		"ClamAV-VDB:20 Nov 2026 04-41 -0400:99999999999:", "\x7f" "ELF", "clamav-vdb:20 Nov 2026 04-41 -0400:1:" };
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		products_read_clamav(bad[i], strlen(bad[i]), o);
	check_json(o, "{}");
	products_read_clamav("ClamAV-VDB:yesterday:5:", 23, o);
	check_json(o, "{\"pattern\":\"5\"}");
	json_decref(o);
}

TEST(ossec_and_wazuh_are_told_apart, "AGT-4,RUL-10")
{
	char *old = new_root(), *mid = new_root(), *fresh = new_root();
	json_t *found;

	put(old, "/etc/ossec-init.conf", "DIRECTORY=\"/var/ossec\"\nVERSION=\"v3.7.0\"\nDATE=\"Tue Mar  1 10:00:00 UTC 2022\"\nTYPE=\"agent\"\n");
	put(old, "/var/ossec/bin/ossec-control", "");
	found = products(old, NULL, "{\"ossec-agentd\":1}");
	check_json(found, "{\"ossec\":{\"label\":\"OSSEC\",\"running\":true,\"version\":\"3.7.0\"}}");
	json_decref(found);
	put(mid, "/var/ossec/etc/ossec-init.conf", "DIRECTORY=\"/var/ossec\"\nNAME=\"Wazuh\"\nVERSION=\"v3.13.6\"\nREVISION=\"31308\"\n");
	found = products(mid, NULL, "{}");
	check_json(found, "{\"wazuh\":{\"label\":\"Wazuh\",\"running\":false,\"version\":\"3.13.6\"}}");
	json_decref(found);
	put(fresh, "/var/ossec/VERSION.json", "{\"version\": \"4.9.2\", \"stage\": \"rc1\", \"commit\": \"abc\"}");
	found = products(fresh, "{\"wazuh-agent\":\"4.9.1-1\"}", "{\"wazuh-agentd\":1}");
	check_json(found, "{\"wazuh\":{\"label\":\"Wazuh\",\"running\":true,\"version\":\"4.9.2\"}}");
	json_decref(found);
	put(fresh, "/var/ossec/VERSION.json", "not json");
	found = products(fresh, "{\"wazuh-agent\":\"4.9.1-1\"}", NULL);
	check_json(found, "{\"wazuh\":{\"label\":\"Wazuh\",\"version\":\"4.9.1\"}}");
	json_decref(found);
	drop_root(old);
	drop_root(mid);
	drop_root(fresh);
}

TEST(other_products, "AGT-4,RUL-13")
{
	char *root = new_root();
	json_t *found;

	put(root, "/opt/ds_agent/ds_agent", "");
	put(root, "/opt/TrendMicro/SProtectLinux/lpt$vpn.973", "");
	put(root, "/opt/TrendMicro/SProtectLinux/lpt$vpn.999", "");
	put(root, "/opt/TrendMicro/SProtectLinux/lpt$vpn.x", "");
	found = products(root, "{\"ds-agent\":\"20.0.2.1390\",\"aide\":\"0.18.3-1\"}", "{\"ds_agent\":2}");
	CHECK_INT(json_object_size(found), 3);
	CHECK_STR(text_of(json_object_get(found, "deep-security-agent"), "version"), "20.0.2.1390");
	CHECK(json_is_true(json_object_get(json_object_get(found, "deep-security-agent"), "running")));
	CHECK_STR(text_of(json_object_get(found, "serverprotect"), "pattern"), "999");
	CHECK(text_of(json_object_get(found, "serverprotect"), "pattern_date") != NULL);
	CHECK_STR(text_of(json_object_get(found, "aide"), "version"), "0.18.3");
	CHECK(json_object_get(json_object_get(found, "aide"), "running") == NULL);
	json_decref(found);
	drop_root(root);
}

/* What is no regular file, or a link that somebody could turn elsewhere, is not read; what is not there is known not to be. */
static void set_variable(const char *root, const char *name, const char *bytes, size_t len)
{
	char *path = mem_printf("%s/%s", root, name);

	CHECK_INT(file_write(path, bytes, len, 0600), 0);
	free(path);
}

#define SECURE_BOOT "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define SHIM_IS_LAX "MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23"

static const char *secure_boot(const char *root)
{
	const char *state = firmware_secure_boot(root);

	return state ? state : "unknown";
}

/* Four bytes of attributes, one of value. */
TEST(secure_boot_as_the_firmware_shows_it, "AGT-4,RUL-22,RUL-24")
{
	static const struct { const char *bytes; size_t len; const char *state; } kinds[] = {
		{ "\6\0\0\0\0", 5, "off" }, { "\6\0\0\0\1", 5, "on" }, { "\6\0\0\0\2", 5, "unknown" }, { "\6\0\0\0\377", 5, "unknown" },
		{ "", 0, "unknown" }, { "\1", 1, "unknown" }, { "\6\0\0\0", 4, "unknown" }, { "\6\0\0\0\1\0", 6, "unknown" },
	}, lax[] = {
		{ "\6\0\0\0\1", 5, "off" }, { "\6\0\0\0\0", 5, "on" }, { "\6\0\0\0", 4, "unknown" },
	};
	char *root = new_root(), large[200] = { 6, 0, 0, 0, 1 }, *path = mem_printf("%s/" SHIM_IS_LAX, root);

	CHECK_STR(secure_boot(root), "unknown");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		set_variable(root, SECURE_BOOT, kinds[i].bytes, kinds[i].len);
		CHECK_STR(secure_boot(root), kinds[i].state);
	}
	set_variable(root, SECURE_BOOT, large, sizeof large);
	CHECK_STR(secure_boot(root), "unknown");
	/* Shim may have been told not to check: then nobody did. */
	set_variable(root, SECURE_BOOT, "\6\0\0\0\1", 5);
	for (size_t i = 0; i < ARRAY_LEN(lax); i++) {
		set_variable(root, SHIM_IS_LAX, lax[i].bytes, lax[i].len);
		CHECK_STR(secure_boot(root), lax[i].state);
	}
	CHECK_INT(unlink(path), 0);
	CHECK_STR(secure_boot(root), "on");
	/* There, and cannot be read: not known. */
	CHECK_INT(mkdir(path, 0700), 0);
	CHECK_STR(secure_boot(root), "unknown");
	free(path);
	drop_root(root);
}

TEST(files_that_are_watched, "AGT-4,RUL-21,RUL-24")
{
	static struct proto_watch files[7];
	char *root = new_root(), *path, *link;
	struct facts_wish wish = { .files = files, .files_count = 7 };
	struct facts_run run = { .wish = &wish };
	json_t *set;

	put(root, "/file", "hello\n");
	path = mem_printf("%s/file", root);
	link = mem_printf("%s/link", root);
	CHECK(symlink(path, link) == 0);
	snprintf(files[0].path, sizeof files[0].path, "%s", path);
	snprintf(files[1].path, sizeof files[1].path, "%s", link);
	snprintf(files[2].path, sizeof files[2].path, "%s/none", root);
	snprintf(files[3].path, sizeof files[3].path, "%s/file/below", root);
	snprintf(files[4].path, sizeof files[4].path, "%s", root);
	snprintf(files[5].path, sizeof files[5].path, "%s/fifo", root);
	snprintf(files[6].path, sizeof files[6].path, "/dev/zero");
	CHECK(mkfifo(files[5].path, 0600) == 0);
	set = fact_files(&run);
	CHECK_STR(text_of(set, path), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
	CHECK(json_is_null(json_object_get(set, files[2].path)) && json_is_null(json_object_get(set, files[3].path)));
	CHECK_INT(json_object_size(set), 3);
	json_decref(set);
	put(root, "/file", "hello");
	set = fact_files(&run);
	CHECK_STR(text_of(set, path), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	json_decref(set);
	/* A hole costs nothing to make, and is too large all the same. */
	CHECK(truncate(path, (64 << 20) + 1) == 0);
	set = fact_files(&run);
	CHECK(json_object_get(set, path) == NULL);
	json_decref(set);
	free(link);
	free(path);
	drop_root(root);
}

TEST(names_of_processes_may_hold_anything, "RUL-20,SEC-5")
{
	static const struct { const char *line, *name; } cases[] = {
		{ "12 (sshd) S 1 12 12 0 -1 4194560 1 2", "sshd" }, { "12 (a) R 0 (b) S 1 12 12 0 -1 4194560 1 2", "a) R 0 (b" },
		{ "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0", NULL }, { "", NULL }, { "12 (x", NULL }, { "12 )x(", NULL }, { "12 (x) S 1", NULL },
		{ "12 () S 1 12 12 0 -1 0 1", "" },
	};
	char name[PROCESS_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CHECK_INT(processes_read_stat(cases[i].line, name), cases[i].name != NULL);
		if (cases[i].name)
			CHECK_STR(name, cases[i].name);
	}
}

static int listen_on(int family, int type, char key[static 16])
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = family == AF_INET ? sizeof four : sizeof six;
	struct sockaddr *at = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && bind(fd, at, len) == 0 && (type == SOCK_DGRAM || listen(fd, 1) == 0));
	CHECK(getsockname(fd, at, &len) == 0);
	snprintf(key, 16, "%s/%d", type == SOCK_STREAM ? "tcp" : "udp", ntohs(family == AF_INET ? four.sin_port : six.sin6_port));
	return fd;
}

static void ignore(void *ctx, const struct fact *f, json_t *value, clock_us took)
{
}

TEST(facts_tell_of_this_machine, "AGT-4,RUL-9,RUL-20")
{
	static const struct facts_wish none;
	char host[256], tcp[16], udp[16], tcp6[16];
	int fds[] = { listen_on(AF_INET, SOCK_STREAM, tcp), listen_on(AF_INET, SOCK_DGRAM, udp), listen_on(AF_INET6, SOCK_STREAM, tcp6) };
	const json_t *services, *service;
	json_t *o = json_object();

	prctl(PR_SET_NAME, "a \"name\" \xff");
	facts_walk(&none, o, NULL, ignore, NULL);
	CHECK(gethostname(host, sizeof host) == 0);
	CHECK_STR(text_of(o, "host.name"), host);
	CHECK_STR(text_of(o, "os.system"), "linux");
	CHECK(json_integer_value(json_object_get(o, "os.uptime_s")) > 0);
	CHECK(json_is_object(json_object_get(o, "network.addresses")) && json_is_object(json_object_get(o, "network.networks")));
	CHECK(json_is_object(json_object_get(o, "security.products")) && json_is_object(json_object_get(o, "files")));
	services = json_object_get(o, "network.services");
	service = json_object_get(services, tcp);
	CHECK_STR(json_string_value(json_array_get(json_object_get(service, "address"), 0)), "127.0.0.1");
	CHECK_STR(text_of(service, "process"), "a ?name? ?");
	CHECK_STR(text_of(json_object_get(services, udp), "process"), "a ?name? ?");
	CHECK_STR(text_of(json_object_get(services, tcp6), "process"), "a ?name? ?");
	CHECK(json_integer_value(json_object_get(json_object_get(o, "processes"), "a ?name? ?")) >= 1);
	/* Kernel threads are no processes of the guest. */
	CHECK(json_object_get(json_object_get(o, "processes"), "kthreadd") == NULL);
	if (access("/var/lib/dpkg/status", R_OK) == 0)
		CHECK(text_of(json_object_get(o, "packages"), "libc6") != NULL);
	json_decref(o);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

/* The largest that a rule can do without goes first, and what went is said. */
TEST(facts_fit_into_a_message, "AGT-4,RUL-24")
{
	json_t *facts = json_pack("{s:s,s:{},s:{}}", "host.name", "a", "packages", "processes"), *big = json_object_get(facts, "packages");
	char name[32];
	size_t size;

	for (int i = 0; i < 9000; i++) {
		snprintf(name, sizeof name, "package-%d", i);
		json_object_set_new(big, name, json_string("1.2.3-4+deb12u1"));
	}
	facts_fit(facts, 1 << 20);
	CHECK(json_object_get(facts, "packages") && json_object_get(facts, "facts.left_out") == NULL);
	facts_fit(facts, PROTO_FACTS_MAX);
	check_json(facts, "{\"facts.left_out\":[\"packages\"],\"host.name\":\"a\",\"processes\":{}}");
	facts_fit(facts, 60);
	check_json(facts, "{\"facts.left_out\":[\"packages\",\"processes\"],\"host.name\":\"a\"}");
	size = json_object_size(facts);
	facts_fit(facts, 1);
	CHECK_INT(json_object_size(facts), size);
	json_decref(facts);
}

TEST(the_cost_is_told, "AGT-10")
{
	static const struct facts_wish none;
	struct buf out = BUF_INIT;

	facts_measure(&none, 1, &out);
	CHECK(strstr(buf_str(&out), "| `packages` |") != NULL && strstr(buf_str(&out), "| all |") != NULL);
	buf_free(&out);
}

TEST_MAIN
