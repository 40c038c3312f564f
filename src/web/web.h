/* web.h - the pipeline as the server's glue drives it: what is read once before workers fork, what a thread owns, and one
 * request answered. */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "base/clock.h"
#include "base/conf.h"
#include "keys/client.h"
#include "store/db.h"
#include "store/quota.h"
#include "web/asset.h"
#include "web/rate.h"
#include "web/request.h"


struct languages;

/* Read by all threads of all workers, changed by none (but what is in shared memory). */
struct web {
	struct conf conf;
	char *origin[WEB_SITES];                 /* "https://host[:port]" */
	struct languages *languages;
	struct assets *assets;
	struct rate *sign_ins;
	struct rate *asked;                      /* what strangers ask for that costs something (ROUTE_COSTLY) */
	struct rate *people, *agents;            /* requests of accounts, each by themselves */
	clock_us idle, absolute;                 /* of sessions */
	struct quota signup;                     /* what an account that registered itself begins with */
	int threads;                             /* that answer pages, per worker */
	unsigned char notice_key[32];
};

/* Connections and clients of one thread; opened when first used. */
struct web_thread {
	const struct web *web;
	struct db *db[WEB_SITES];                /* by the site's database role */
	struct keys_client keys;
	int keys_ready;
	clock_us keys_seen;                      /* when keys_trouble was found out; clock_ticks() */
	json_t *licences;                        /* how many tenants are near a limit, as counted last (licence_bar.c); NULL: not yet */
	clock_us licences_seen;                  /* then; clock_ticks() */
	const char *keys_trouble;                /* what is the matter with the key service; NULL: nothing */
	const char *keys_advice;                 /* and what to do about it; NULL: not known */
};

/* Reads the configuration at CONF_PATH, the templates and the assets, checks the route tables, makes the shared memory: all
 * that a confined worker could not any more. The caller frees. */
int web_load(const char *conf_path, struct web **out);
/* The confined worker sees the folder web.chroot as "/": PATH as it sees it; the same pointer or a part of it. */
const char *web_inside(const struct web *web, const char *path);
void web_free(struct web *web);
/* The site of a host name (any case, with or without port); WEB_SITES when it is none of ours. */
enum web_site web_site_of(const struct web *web, const char *host);

/* The connection string of the site's role as the confined worker must give it; the caller frees. */
char *web_conninfo(const struct web *web, enum web_site site);

void web_thread_init(struct web_thread *t, const struct web *web);
void web_thread_free(struct web_thread *t);
struct db *web_thread_db(struct web_thread *t, enum web_site site);
struct keys_client *web_thread_keys(struct web_thread *t);

/* Answers a request to one of the consoles, errors included. May take as long as the database does: never in the thread that
 * serves connections. *OUT starts empty. 1: it was not answered, and is to be once more when REQUEST->ask has its answer (ask.h). */
int web_answer(struct web_thread *t, struct web_request *request, struct web_response *out);
/* Whether it is one of those that take their time and that strangers may send: tries to sign in (ROUTE_SIGN_IN). */
int web_is_try(const struct web_request *request);
/* Refuses it because too many wait already: 503. Needs no time. */
void web_answer_busy(struct web_thread *t, const struct web_request *request, struct web_response *out);
/* The part that needs neither database nor much time: assets, and limits that are exceeded there or by agents. 1 when *OUT is the answer. */
int web_answer_quick(const struct web *web, const struct web_request *request, struct web_response *out);
/* Security headers for any answer (SEC-2): a page's when it is HTML, else those that always apply. */
void web_security_headers(struct web_response *out);
/* A page of this answer has a form that leads to URL, on another site: allowed besides our own. */
void web_allow_form(struct web_response *out, const char *url);

#endif
