/* products.c - security products: one row each, found by what they install. OfficeScan runs on Windows only and has no row here. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/integrity/family.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define SMALL_FILE_MAX 65536
#define HEADER_SIZE 512          /* of ClamAV's pattern files */
#define NAMES 5

struct product {
	const char *id, *label;
	const char *paths[NAMES], *packages[NAMES], *processes[NAMES];       /* one of them is enough */
	int (*is_it)(const char *root);      /* of those that share paths: 1 if it is this one */
	void (*look)(const char *root, json_t *o);       /* adds what its files tell: version, engine, pattern, pattern_date */
};

static char *at(const char *root, const char *path)
{
	return mem_printf("%s%s", root, path);
}

static int exists(const char *root, const char *path)
{
	char *full = at(root, path);
	struct stat st;
	int there = lstat(full, &st) == 0;

	free(full);
	return there;
}

static void set_text(json_t *o, const char *name, char *text)
{
	fact_clean(text);
	if (*text)
		json_object_set_new(o, name, json_string(text));
}

static void set_time(json_t *o, const char *name, int64_t seconds)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(seconds * CLOCK_SECOND, text);
	json_object_set_new(o, name, json_string(text));
}

/* The files' time as the time of what is in them. */
static void set_date_of(const char *root, const char *path, json_t *o)
{
	char *full = at(root, path);
	struct stat st;

	if (stat(full, &st) == 0)
		set_time(o, "pattern_date", st.st_mtim.tv_sec);
	free(full);
}

/* ClamAV: "ClamAV-VDB:20 Nov 2026 08-41 +0000:27101:2067382:90:<md5>:<signature>:builder:..." */

void products_read_clamav(const char *header, size_t len, json_t *o)
{
	const char *known = json_string_value(json_object_get(o, "pattern"));
	char text[HEADER_SIZE + 1], *rest = text, *date, *version;
	struct tm tm = { 0 };

	snprintf(text, sizeof text, "%.*s", (int)(len < HEADER_SIZE ? len : HEADER_SIZE), header);
	if (strncmp(text, "ClamAV-VDB:", 11) != 0)
		return;
	strsep(&rest, ":");
	date = strsep(&rest, ":");
	version = rest ? strsep(&rest, ":") : NULL;
	if (version == NULL || version[0] == '\0' || strspn(version, "0123456789") != strlen(version) || strlen(version) > 9
		|| (known && atoi(version) <= atoi(known)))
		return;
	set_text(o, "pattern", version);
	if (strptime(date, "%d %b %Y %H-%M %z", &tm)) {
		long offset = tm.tm_gmtoff;

		set_time(o, "pattern_date", (int64_t)timegm(&tm) - offset);
	}
}

/* The newer of the two: one as it was fetched, one that updates have been worked into. */
static void look_clamav(const char *root, json_t *o)
{
	static const char *const files[] = { "/var/lib/clamav/daily.cvd", "/var/lib/clamav/daily.cld" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *path = at(root, files[i]), header[HEADER_SIZE];
		FILE *f = fopen(path, "re");

		if (f) {
			products_read_clamav(header, fread(header, 1, sizeof header, f), o);
			fclose(f);
		}
		free(path);
	}
	if (json_object_get(o, "version"))
		json_object_set(o, "engine", json_object_get(o, "version"));
}

/* OSSEC and Wazuh: NAME="Wazuh", VERSION="v3.13.1" in ossec-init.conf; newer Wazuh has VERSION.json. */

static int init_value(const char *root, const char *name, char *out, size_t size)
{
	static const char *const files[] = { "/etc/ossec-init.conf", "/var/ossec/etc/ossec-init.conf" };
	int found = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && !found; i++) {
		char *path = at(root, files[i]), *rest, *line;
		struct buf text = BUF_INIT;

		file_read(path, SMALL_FILE_MAX, &text);
		rest = text.data;
		while (rest && !found && (line = strsep(&rest, "\n")) != NULL) {
			size_t len = strlen(name);

			if (strncmp(line, name, len) == 0 && line[len] == '=') {
				line += len + 1 + strspn(line + len + 1, "\"");
				snprintf(out, size, "%.*s", (int)strcspn(line, "\""), line);
				found = 1;
			}
		}
		buf_free(&text);
		free(path);
	}
	return found;
}

static int is_wazuh(const char *root)
{
	char name[64];

	return exists(root, "/var/ossec/VERSION.json") || exists(root, "/var/ossec/bin/wazuh-control")
		|| (init_value(root, "NAME", name, sizeof name) && strcasestr(name, "wazuh"));
}

static int is_ossec(const char *root)
{
	return !is_wazuh(root);
}

static void look_ossec(const char *root, json_t *o)
{
	char *path = at(root, "/var/ossec/VERSION.json"), text[64];
	struct buf file = BUF_INIT;
	const char *version = NULL;
	json_t *doc = NULL;

	if (file_read(path, SMALL_FILE_MAX, &file) == 0 && json_parse_object(file.data, file.len, SMALL_FILE_MAX, &doc) == 0)
		json_get_string_opt(doc, "version", sizeof text - 1, &version);
	if (version)
		snprintf(text, sizeof text, "%s", version);
	if (version || init_value(root, "VERSION", text, sizeof text))
		set_text(o, "version", text + (text[0] == 'v'));
	json_decref(doc);
	buf_free(&file);
	free(path);
}

/* ServerProtect keeps the pattern's version in the file's name: lpt$vpn.123. */
static void look_serverprotect(const char *root, json_t *o)
{
	char *path = at(root, "/opt/TrendMicro/SProtectLinux"), newest[16] = "";
	DIR *folder = opendir(path);
	const struct dirent *e;
	struct stat st;

	while (folder && (e = readdir(folder)) != NULL) {
		const char *number = strncmp(e->d_name, "lpt$vpn.", 8) == 0 ? e->d_name + 8 : "";

		if (*number == '\0' || strspn(number, "0123456789") != strlen(number) || strlen(number) > 6
			|| atoi(number) <= atoi(newest) || fstatat(dirfd(folder), e->d_name, &st, 0) < 0)
			continue;
		snprintf(newest, sizeof newest, "%.6s", number);
		json_set_string(o, "pattern", newest);
		set_time(o, "pattern_date", st.st_mtim.tv_sec);
	}
	if (folder)
		closedir(folder);
	free(path);
}

/* What AIDE compares with. */
static void look_aide(const char *root, json_t *o)
{
	set_date_of(root, exists(root, "/var/lib/aide/aide.db") ? "/var/lib/aide/aide.db" : "/var/lib/aide/aide.db.gz", o);
}

static const struct product products[] = {
	{ "clamav", "ClamAV", { "/usr/sbin/clamd", "/usr/bin/clamscan", "/usr/local/sbin/clamd", "/usr/local/bin/clamscan" },
		{ "clamav-daemon", "clamav", "clamd" }, { "clamd", "clamonacc" }, NULL, look_clamav },
	{ "wazuh", "Wazuh", { "/var/ossec" }, { "wazuh-agent", "wazuh-manager" }, { "wazuh-agentd", "wazuh-analysisd", "ossec-agentd",
		"ossec-analysisd" }, is_wazuh, look_ossec },
	{ "ossec", "OSSEC", { "/var/ossec" }, { "ossec-hids-agent", "ossec-hids-server", "ossec-hids" }, { "ossec-agentd",
		"ossec-analysisd" }, is_ossec, look_ossec },
	{ "deep-security-agent", "Trend Micro Deep Security Agent", { "/opt/ds_agent/ds_agent" }, { "ds-agent", "ds_agent" },
		{ "ds_agent" }, NULL, NULL },
	{ "serverprotect", "Trend Micro ServerProtect", { "/opt/TrendMicro/SProtectLinux" }, { "SProtectLinux" }, { "entity", "splxmain" },
		NULL, look_serverprotect },
	{ "aide", "AIDE", { "/usr/bin/aide", "/usr/sbin/aide" }, { "aide", "aide-common" }, { NULL }, NULL, look_aide },
	{ "falcon", "CrowdStrike Falcon", { "/opt/CrowdStrike/falconctl" }, { "falcon-sensor" }, { "falcon-sensor", "falcon-sensor-bpf" },
		NULL, NULL },
	{ "sentinelone", "SentinelOne", { "/opt/sentinelone/bin/sentinelctl" }, { "sentinelagent", "SentinelAgent" }, { "s1-agent" }, NULL,
		NULL },
	{ "defender", "Microsoft Defender for Endpoint", { "/opt/microsoft/mdatp" }, { "mdatp" }, { "wdavdaemon" }, NULL, NULL },
	{ "osquery", "osquery", { "/opt/osquery/bin/osqueryd", "/usr/bin/osqueryd" }, { "osquery" }, { "osqueryd" }, NULL, NULL },
	{ "falco", "Falco", { "/usr/bin/falco" }, { "falco" }, { "falco" }, NULL, NULL },
	{ "samhain", "Samhain", { "/usr/sbin/samhain", "/usr/local/sbin/samhain" }, { "samhain" }, { "samhain" }, NULL, NULL },
	{ "tripwire", "Tripwire", { "/usr/sbin/tripwire" }, { "tripwire" }, { NULL }, NULL, NULL },
	{ "rkhunter", "Rootkit Hunter", { "/usr/bin/rkhunter" }, { "rkhunter" }, { NULL }, NULL, NULL },
};

/* Which of NAMES is a member of SET; NULL: none, or no set. */
static const json_t *member(const json_t *set, const char *const names[static NAMES])
{
	for (size_t i = 0; i < NAMES && names[i]; i++)
		if (json_object_get(set, names[i]))
			return json_object_get(set, names[i]);
	return NULL;
}

/* "1:1.0.7+dfsg-1~deb12u1" is the makers' 1.0.7. */
static void set_package_version(json_t *o, const char *packaged)
{
	const char *start = strchr(packaged, ':') ? strchr(packaged, ':') + 1 : packaged, *end = strrchr(start, '-');
	size_t len = end ? (size_t)(end - start) : strlen(start);
	char text[64];

	snprintf(text, sizeof text, "%.*s", (int)(len < 63 ? len : 63), start);
	text[strcspn(text, "+")] = '\0';
	set_text(o, "version", text);
}

static int is_installed(const char *root, const struct product *p, const json_t *packages)
{
	if (p->is_it && exists(root, p->paths[0]) && !p->is_it(root))
		return 0;
	for (size_t i = 0; i < NAMES && p->paths[i]; i++)
		if (exists(root, p->paths[i]))
			return 1;
	return member(packages, p->packages) != NULL;
}

json_t *products_find(const char *root, const json_t *packages, const json_t *processes)
{
	json_t *set = json_object();

	for (size_t i = 0; i < ARRAY_LEN(products); i++) {
		const struct product *p = &products[i];
		const json_t *packaged = member(packages, p->packages);
		json_t *o;

		if (!is_installed(root, p, packages))
			continue;
		o = json_pack("{s:s}", "label", p->label);
		if (packaged)
			set_package_version(o, json_string_value(packaged));
		if (processes && p->processes[0])
			json_object_set_new(o, "running", json_boolean(member(processes, p->processes) != NULL));
		if (p->look)
			p->look(root, o);
		json_object_set_new(set, p->id, o);
	}
	return set;
}

json_t *fact_products(struct facts_run *run)
{
	return products_find("", json_object_get(run->so_far, "packages"), json_object_get(run->so_far, "processes"));
}
