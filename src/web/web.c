/* web.c - what is loaded once, and what each thread owns. */
#include "web/web.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "render/languages.h"
#include "store/conninfo.h"
#include "web/route.h"

#define KEYD_TIMEOUT_MS 10000
#define THREADS_MOST 256
#define TOKEN_LEAST 16

static const enum conf_setting domains[WEB_SITES] = { CONF_DOMAIN_CENTRAL, CONF_DOMAIN_CONSOLE, CONF_DOMAIN_AGENTS };
static const enum conf_setting databases[WEB_SITES] = { CONF_DATABASE_CENTRAL, CONF_DATABASE_CONSOLE, CONF_DATABASE_AGENT };

static int check_tables(void)
{
	for (int site = 0; site < WEB_SITES; site++) {
		const char *wrong = route_check(route_table((enum web_site)site));

		if (*wrong)
			return err_set(ERR_INTERNAL, "route table: %s", wrong);
	}
	return 0;
}

static int take_settings(struct web *web)
{
	long port, idle, absolute, threads;
	int rc;

	if ((rc = conf_int(&web->conf, CONF_PORT, 1, 65535, &port)) < 0 ||
		(rc = conf_int(&web->conf, CONF_SESSION_IDLE, 1, 7 * 24 * 60, &idle)) < 0 ||
		(rc = conf_int(&web->conf, CONF_SESSION_ABSOLUTE, 1, 31 * 24, &absolute)) < 0 ||
		(rc = conf_int(&web->conf, CONF_WEB_THREADS, 1, THREADS_MOST, &threads)) < 0)
		return rc;
	web->threads = (int)threads;
	web->idle = idle * CLOCK_MINUTE;
	web->absolute = absolute * CLOCK_HOUR;
	for (int i = 0; i < WEB_SITES; i++) {
		const char *host = conf_get(&web->conf, domains[i]);

		web->origin[i] = port == 443 ? mem_printf("https://%s", host) : mem_printf("https://%s:%ld", host, port);
	}
	return 0;
}

/* Anybody can register: such accounts begin with limits, and the operator raises them. */
static int take_quota(struct web *web)
{
	const struct {
		enum conf_setting setting;
		long most;
		int64_t *to;
	} limits[] = {
		{ CONF_SIGNUP_DEVICES, QUOTA_ROWS_MOST, &web->signup.devices }, { CONF_SIGNUP_INSTANCES, QUOTA_ROWS_MOST, &web->signup.instances },
		{ CONF_SIGNUP_USERS, QUOTA_ROWS_MOST, &web->signup.users }, { CONF_SIGNUP_RATE, QUOTA_RATE_MOST, &web->signup.rate },
	};
	int rc = 0;
	long value;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(limits); i++) {
		rc = conf_int(&web->conf, limits[i].setting, 0, limits[i].most, &value);
		if (rc == 0)
			*limits[i].to = value;
	}
	return rc;
}

static int check_token(const char *token)
{
	int fits = *token == '\0' || strlen(token) >= TOKEN_LEAST;

	return fits ? 0 : err_set(ERR_INVALID, "metrics.token has less than %d characters", TOKEN_LEAST);
}

int web_load(const char *conf_path, struct web **out)
{
	struct web *web = mem_alloc(sizeof *web);
	int rc = check_tables();

	web->languages = mem_alloc(sizeof *web->languages);
	if (rc == 0)
		rc = conf_load(conf_path, &web->conf);
	if (rc == 0)
		rc = take_settings(web);
	if (rc == 0)
		rc = take_quota(web);
	if (rc == 0)
		rc = check_token(conf_get(&web->conf, CONF_METRICS_TOKEN));
	if (rc == 0)
		rc = languages_load(conf_get(&web->conf, CONF_WEB_TEMPLATES), web->languages);
	if (rc == 0)
		rc = assets_load(conf_get(&web->conf, CONF_WEB_ASSETS), &web->assets);
	if (rc < 0) {
		web_free(web);
		return rc;
	}
	web->sign_ins = rate_new();
	web->asked = rate_new();
	web->people = rate_new();
	web->agents = rate_new();
	randombytes_buf(web->notice_key, sizeof web->notice_key);
	*out = web;
	return 0;
}

void web_free(struct web *web)
{
	if (web == NULL)
		return;
	if (web->languages)
		languages_free(web->languages);
	free(web->languages);
	for (int i = 0; i < WEB_SITES; i++)
		free(web->origin[i]);
	assets_free(web->assets);
	if (web->sign_ins)
		rate_free(web->sign_ins);
	if (web->asked)
		rate_free(web->asked);
	if (web->people)
		rate_free(web->people);
	if (web->agents)
		rate_free(web->agents);
	conf_free(&web->conf);
	free(web);
}

const char *web_inside(const struct web *web, const char *path)
{
	const char *root = conf_get(&web->conf, CONF_WEB_CHROOT);
	size_t len = strlen(root);

	while (len && root[len - 1] == '/')
		len--;
	return len && strncmp(path, root, len) == 0 && path[len] == '/' ? path + len : path;
}

enum web_site web_site_of(const struct web *web, const char *host)
{
	size_t len = strcspn(host, ":");

	for (int i = 0; i < WEB_SITES; i++) {
		const char *ours = conf_get(&web->conf, domains[i]);

		if (strlen(ours) == len && strncasecmp(ours, host, len) == 0)
			return (enum web_site)i;
	}
	return WEB_SITES;
}

/* Threads */

void web_thread_init(struct web_thread *t, const struct web *web)
{
	*t = (struct web_thread){ .web = web };
}

void web_thread_free(struct web_thread *t)
{
	for (int i = 0; i < WEB_SITES; i++)
		db_free(t->db[i]);
	json_decref(t->licences);
	if (t->keys_ready)
		keys_client_close(&t->keys);
	*t = (struct web_thread){ .web = NULL };
}

static const char *inside(const void *web, const char *path)
{
	return web_inside(web, path);
}

char *web_conninfo(const struct web *web, enum web_site site)
{
	return conninfo_inside(conf_get(&web->conf, databases[site]), inside, web);
}

static struct db *open_db(const struct web *web, enum web_site site)
{
	char *conninfo = web_conninfo(web, site), *log;
	struct db *db = db_new(conninfo);

	free(conninfo);
	/* The agent service writes to the log and never reads it. */
	if (site != WEB_AGENTS) {
		log = conninfo_inside(conf_get(&web->conf, CONF_DATABASE_LOG), inside, web);
		db_set_log(db, log);
		free(log);
	}
	return db;
}

struct db *web_thread_db(struct web_thread *t, enum web_site site)
{
	if (t->db[site] == NULL)
		t->db[site] = open_db(t->web, site);
	return t->db[site];
}

struct keys_client *web_thread_keys(struct web_thread *t)
{
	if (!t->keys_ready)
		keys_client_init(&t->keys, web_inside(t->web, conf_get(&t->web->conf, CONF_KEYD_SOCKET)), KEYD_TIMEOUT_MS);
	t->keys_ready = 1;
	return &t->keys;
}
