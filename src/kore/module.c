/* module.c - the one file that knows Kore: what its parent loads before workers fork and lock themselves in, what a worker may
 * call of the kernel, and how a request gets to the pipeline and back.
 *
 * Pages of the consoles run in a thread of web/pool.h, so that a slow one never holds up a worker; files of the browser and the
 * agents' frames are answered in the worker itself, a held heartbeat when agentapi wakes it. A thread never touches what is Kore's:
 * it gets a copy of the request and leaves an answer (docs/map.md). */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <kore/kore.h>
#include <kore/http.h>
#include <kore/seccomp.h>
#include <openssl/pem.h>

#include "agentapi/agentapi.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "health/beat.h"
#include "store/audit.h"
#include "web/pool.h"
#include "web/web.h"

#define CONFIG_VARIABLE "KEYWARD_CONFIG"
#define CONFIG_STANDARD "/etc/keyward/keyward.conf"
#define TICK_MS 1000
#define SERVED_TICKS 10          /* between two looks at the certificates that are served */
#define STALLED_MS 120000        /* a client that has not taken a part of its answer for so long is gone */
#define PAGES_PER_THREAD 16      /* that may wait; at 50 ms each, the last waits for less than a second */

/* What Kore finds by name: hooks and handler; the filter's macro makes a hook as well. */
#pragma GCC visibility push(default)
#include <kore/hooks.h>
int web_request(struct http_request *req);

/* Beyond what Kore itself needs. Sockets only to the database and the key service; a remote database needs AF_INET. */
KORE_SECCOMP_FILTER("keyward",
	/* threads, and what they ring with */
	KORE_SYSCALL_ALLOW(clone),
	KORE_SYSCALL_DENY(clone3, ENOSYS),
	KORE_SYSCALL_ALLOW(set_robust_list),
	KORE_SYSCALL_ALLOW(eventfd2),
	KORE_SYSCALL_ALLOW(rseq),
	KORE_SYSCALL_ALLOW(sched_getaffinity),
	KORE_SYSCALL_ALLOW(sched_yield),
	KORE_SYSCALL_ALLOW(gettid),
	KORE_SYSCALL_ALLOW(tgkill),
	KORE_SYSCALL_ALLOW(restart_syscall),
	/* memory: malloc, and libsodium's guarded heap */
	KORE_SYSCALL_ALLOW(mremap),
	KORE_SYSCALL_ALLOW(mlock),
	KORE_SYSCALL_ALLOW(munlock),
	KORE_SYSCALL_ALLOW(sysinfo),
	/* libpq and ipc.c */
	KORE_SYSCALL_ALLOW(newfstatat),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_UNIX),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_INET),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_INET6),
	KORE_SYSCALL_ALLOW(connect),
	KORE_SYSCALL_ALLOW(getsockopt),
	KORE_SYSCALL_ALLOW(getsockname),
	KORE_SYSCALL_ALLOW(getpeername),
	KORE_SYSCALL_ALLOW(sendmsg),
	KORE_SYSCALL_ALLOW(recvmsg),
)

#pragma GCC visibility pop

static struct web *web;                          /* set in the parent, then only read */
static struct web_thread in_worker;              /* of the worker's own thread: agents */
static struct beat *beat;                        /* says that the worker is here */
static char host[BEAT_HOST_SIZE];                /* set in the parent: a confined worker could not ask any more */
static struct pool *pages;                       /* its threads: consoles */

static void pages_done(void *arg, int failed);
static void drop_stalled(uint64_t now);

/* Life of the processes */

static void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fatal("no shared memory: %s", strerror(errno));
	return p;
}

void kore_parent_configure(int argc, char **argv)
{
	const char *path = getenv(CONFIG_VARIABLE);
	enum log_level level;

	/* What is buffered here would come out once more in every worker. */
	fflush(stdout);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* No time zone file is found later, inside the chroot. */
	tzset();
	beat_host(host);
	secret_init();
	log_open("web", LOG_LEVEL_INFO);
	if (web_load(path ? path : CONFIG_STANDARD, &web) < 0)
		fatal("%s", err_text());
	if (log_level_parse(conf_get(&web->conf, CONF_WEB_LOG_LEVEL), &level) < 0)
		fatal("%s", err_text());
	log_set_level(level);
	agentapi_init(shared_memory(agentapi_shared_size()));
}

/* Those that this worker really serves: the key manager gives it new ones while it runs. */
static json_t *served;

static void add_served(struct kore_domain *dom)
{
	X509 *x = dom->ssl_ctx ? SSL_CTX_get0_certificate(dom->ssl_ctx) : NULL;
	BIO *out = BIO_new(BIO_s_mem());
	char *pem = NULL;
	long len;

	if (x && PEM_write_bio_X509(out, x) == 1 && (len = BIO_get_mem_data(out, &pem)) > 0)
		json_array_append_new(served, json_pack("{s:s, s:s, s:s%}", "place", "web", "name", dom->domain, "pem", pem, (size_t)len));
	BIO_free(out);
}

static void tell_served(void)
{
	served = json_array();
	kore_domain_callback(add_served);
	beat_note(beat, "certificates", served);
}

static void tick(void *arg, uint64_t now)
{
	static unsigned ticks;

	agentapi_tick(&in_worker);
	drop_stalled(now);
	if (ticks++ % SERVED_TICKS == 0)
		tell_served();
}

static void wake(void *owner)
{
	http_request_wakeup(owner);
}

static void notified(void *arg, int failed)
{
	agentapi_notified();
}

/* The descriptor leaves the loop by being closed. */
static void watch(int fd)
{
	static struct kore_event event = { .handle = notified };

	kore_platform_event_level_read(fd, &event);
}

static void together(void *arg, uint64_t now)
{
	agentapi_together(&in_worker);
}

/* A timer that is due at once runs after what has come in was read, and before any of that is handled. */
static void soon(void)
{
	kore_timer_add(together, 0, NULL, KORE_TIMER_ONESHOT);
}

static void start_pages(void)
{
	static struct kore_event event = { .handle = pages_done };
	int fd;

	pages = pool_new(web, web->threads, web->threads * PAGES_PER_THREAD, &fd);
	kore_platform_event_level_read(fd, &event);
}

/* The first worker speaks for all of them. */
static void note(int started)
{
	if (worker->id == 1 && audit_server(web_thread_db(&in_worker, WEB_CENTRAL), "keyward-web", host, started) < 0)
		log_warning("start or stop could not be logged", "why", err_text(), NULL);
}

static void start_beat(void)
{
	char *conninfo = web_conninfo(web, WEB_CENTRAL);

	beat = beat_start(&(struct beat_how){ .kind = "web", .host = host, .conninfo = conninfo, .keyd_socket = web_inside(web, conf_get(&web->conf, CONF_KEYD_SOCKET)),
		.sso_socket = web_inside(web, conf_get(&web->conf, CONF_SSO_SOCKET)) });
	free(conninfo);
}

void kore_worker_configure(void)
{
	static const struct agentapi_hooks hooks = { wake, watch, soon };

	web_thread_init(&in_worker, web);
	start_pages();
	start_beat();
	agentapi_start(&in_worker, &hooks);
	kore_timer_add(tick, TICK_MS, NULL, 0);
	note(1);
}

void kore_worker_teardown(void)
{
	beat_stop(beat);
	agentapi_stop(&in_worker);
	/* The loop is over: what was held goes out here. */
	http_process();
	note(0);
	web_thread_free(&in_worker);
}

/* From Kore's request to ours */

static char *header(struct http_request *req, const char *name)
{
	const char *value;

	return http_request_header(req, name, &value) ? mem_strdup(value) : NULL;
}

static enum web_method method_of(const struct http_request *req)
{
	switch (req->method) {
	case HTTP_METHOD_GET:
		return WEB_GET;
	case HTTP_METHOD_HEAD:
		return WEB_HEAD;
	case HTTP_METHOD_POST:
		return WEB_POST;
	default:
		return WEB_OTHER;
	}
}

/* An IPv4 peer of an IPv6 socket counts as what it is. */
static void peer_of(const struct connection *c, char out[static WEB_ADDRESS_SIZE])
{
	if (c->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&c->addr.ipv6.sin6_addr))
		inet_ntop(AF_INET, &c->addr.ipv6.sin6_addr.s6_addr[12], out, WEB_ADDRESS_SIZE);
	else if (c->family == AF_INET6)
		inet_ntop(AF_INET6, &c->addr.ipv6.sin6_addr, out, WEB_ADDRESS_SIZE);
	else
		inet_ntop(AF_INET, &c->addr.ipv4.sin_addr, out, WEB_ADDRESS_SIZE);
}

static void copy_request(struct http_request *req, enum web_site site, struct web_request *out)
{
	char *hx = header(req, "hx-request");

	*out = (struct web_request){ .site = site, .method = method_of(req), .id = uuid_new(), .received = clock_now() };
	out->host = mem_strdup(req->host);
	out->path = mem_strdup(req->path);
	out->query = req->query_string ? mem_strdup(req->query_string) : NULL;
	out->cookie = header(req, "cookie");
	out->origin = header(req, "origin");
	out->fetch_site = header(req, "sec-fetch-site");
	out->content_type = header(req, "content-type");
	out->accept = header(req, "accept");
	out->accept_encoding = header(req, "accept-encoding");
	out->accept_language = header(req, "accept-language");
	out->if_none_match = header(req, "if-none-match");
	out->authorization = header(req, "authorization");
	out->user_agent = header(req, "user-agent");
	out->csrf = header(req, "x-csrf-token");
	out->hx = hx && strcmp(hx, "true") == 0;
	free(hx);
	peer_of(req->owner, out->address);
	if (req->http_body)
		buf_add(&out->body, req->http_body->data, req->http_body_length);
	else
		out->unread = req->http_body_length > 0;
}

/* A large body stays where it is while Kore sends it, and counts until its client has it, or is gone. */
struct sending {
	struct buf body;
	struct large large;
};

static int sent(struct netbuf *nb)
{
	struct sending *s = nb->extra;

	buf_free(&s->body);
	large_give(&s->large);
	free(s);
	return KORE_RESULT_OK;
}

static void send_large(struct http_request *req, struct web_response *r)
{
	struct sending *s = mem_alloc(sizeof *s);

	s->body = r->body;
	s->large = r->large;
	r->body = (struct buf)BUF_INIT;
	r->large.bytes = 0;
	http_response_stream(req, r->status, s->body.data, s->body.len, sent, s);
}

static void send_response(struct http_request *req, struct web_response *r)
{
	for (size_t i = 0; i < r->header_count; i++)
		http_response_header(req, r->headers[i].name, r->headers[i].value);
	if (r->last)
		req->owner->flags |= CONN_CLOSE_EMPTY;
	if (r->large.bytes && req->owner && req->method != HTTP_METHOD_HEAD)
		send_large(req, r);
	else
		http_response(req, r->status, r->body.len ? r->body.data : NULL, r->body.len);
}

/* Answers that come later */

/* Kept with a request: its page is with a thread, or its answer to an agent is held back. */
struct later {
	struct pool_job *job;
	struct agentapi_held *held;
	/* Of an answer in parts, from its second one on: */
	struct http_request *req;
	uint64_t since;                  /* when the part was given to Kore that the client has not got yet, kore_time_ms(); 0: a thread is at it */
	LIST_ENTRY(later) in_parts;
};

static LIST_HEAD(, later) parts = LIST_HEAD_INITIALIZER(parts);

/* Kore frees the request: answered, or its client has gone. A job that a thread is at is freed when it is done. */
static void later_free(struct http_request *req)
{
	struct later *later = http_state_get(req);

	agentapi_drop(later->held);
	if (later->req)
		LIST_REMOVE(later, in_parts);
	if (later->job && later->job->done)
		pool_job_free(later->job);
	else if (later->job)
		later->job->owner = NULL;
}

static int sleep_until(struct http_request *req, struct pool_job *job, struct agentapi_held *held)
{
	*(struct later *)http_state_create(req, sizeof(struct later), later_free) = (struct later){ .job = job, .held = held };
	http_request_sleep(req);
	return KORE_RESULT_RETRY;
}

/* Answers in parts */

/* A part on its way. LATER: who goes on when it is there; NULL: it is the last. */
struct part {
	struct buf body;
	struct later *later;
};

/* Kore calls it when the part is there, and when its client has gone: then the request was freed before, and its job with it. */
static int part_sent(struct netbuf *nb)
{
	struct part *part = nb->extra;

	if (part->later && nb->owner->state != CONN_STATE_DISCONNECTING) {
		part->later->since = 0;
		pool_more(pages, part->later->job);
	}
	buf_free(&part->body);
	free(part);
	return KORE_RESULT_OK;
}

/* The chunk of HTTP/1.1 around it; behind the last one the empty one that ends the answer. */
static void send_part(struct http_request *req, struct later *later, int last)
{
	struct part *part = mem_alloc(sizeof *part);
	struct netbuf *nb;
	char head[24];

	*part = (struct part){ later->job->response.body, last ? NULL : later };
	later->job->response.body = (struct buf)BUF_INIT;
	snprintf(head, sizeof head, "%zx\r\n", part->body.len);
	if (part->body.len) {
		net_send_queue(req->owner, head, strlen(head));
		buf_puts(&part->body, "\r\n");
	}
	if (last)
		buf_puts(&part->body, "0\r\n\r\n");
	later->since = kore_time_ms();
	net_send_stream(req->owner, part->body.data, part->body.len, part_sent, &nb);
	nb->extra = part;
}

/* Nothing else comes on this connection: Kore would read the next request while this answer is still being sent. */
static void begin_parts(struct http_request *req, struct later *later)
{
	struct web_response *r = &later->job->response;

	for (size_t i = 0; i < r->header_count; i++)
		http_response_header(req, r->headers[i].name, r->headers[i].value);
	http_response_header(req, "transfer-encoding", "chunked");
	req->flags |= HTTP_REQUEST_NO_CONTENT_LENGTH;
	req->owner->flags |= CONN_CLOSE_EMPTY;
	http_response(req, r->status, NULL, 0);
	if (req->method != HTTP_METHOD_HEAD)
		req->owner->flags &= ~CONN_CLOSE_EMPTY;
	later->req = req;
	LIST_INSERT_HEAD(&parts, later, in_parts);
}

/* A part that could not be made ends the connection before the last chunk: so the client knows that something is missing. */
static int go_on(struct http_request *req, struct later *later)
{
	const struct web_response *r = &later->job->response;
	int last = r->next == NULL;

	if (later->req && r->status != HTTP_STATUS_OK)
		return KORE_RESULT_ERROR;
	if (!(req->flags & HTTP_VERSION_1_1)) {
		http_response(req, HTTP_STATUS_BAD_VERSION, NULL, 0);
		return KORE_RESULT_OK;
	}
	if (later->req == NULL)
		begin_parts(req, later);
	if (req->method == HTTP_METHOD_HEAD)
		return KORE_RESULT_OK;
	send_part(req, later, last);
	if (last) {
		req->owner->flags |= CONN_CLOSE_EMPTY;
		return KORE_RESULT_OK;
	}
	if (!net_send_flush(req->owner))
		return KORE_RESULT_ERROR;
	http_request_sleep(req);
	return KORE_RESULT_RETRY;
}

/* Kore has no time limit of its own while a request is there. */
static void drop_stalled(uint64_t now)
{
	struct later *later, *next;

	for (later = LIST_FIRST(&parts); later; later = next) {
		next = LIST_NEXT(later, in_parts);
		if (later->since && now > later->since + STALLED_MS)
			kore_connection_disconnect(later->req->owner);
	}
}

static int end_later(struct http_request *req, struct later *later)
{
	struct web_response response = { .body = BUF_INIT };

	if (later->job && !later->job->done) {
		http_request_sleep(req);
		return KORE_RESULT_RETRY;
	}
	if (later->job && (later->req || later->job->response.next))
		return go_on(req, later);
	if (later->held) {
		agentapi_finish(&in_worker, later->held, &response);
		later->held = NULL;
	}
	send_response(req, later->job ? &later->job->response : &response);
	web_response_free(&response);
	return KORE_RESULT_OK;
}

static void pages_done(void *arg, int failed)
{
	struct pool_job *job;

	while ((job = pool_done(pages)) != NULL)
		if (job->owner)
			http_request_wakeup(job->owner);
		else
			pool_job_free(job);
}

static int end_now(struct http_request *req, struct web_request *request, struct web_response *response)
{
	send_response(req, response);
	web_request_free(request);
	web_response_free(response);
	return KORE_RESULT_OK;
}

static int start_page(struct http_request *req, struct web_request *request)
{
	struct pool_job *job = pool_add(pages, request, req);
	struct web_response response = { .body = BUF_INIT };

	if (job)
		return sleep_until(req, job, NULL);
	web_answer_busy(&in_worker, request, &response);
	return end_now(req, request, &response);
}

static int start_agent(struct http_request *req, struct web_request *request)
{
	struct web_response response = { .body = BUF_INIT };
	struct agentapi_held *held = agentapi_answer(&in_worker, request, req, &response);

	if (held == NULL)
		return end_now(req, request, &response);
	web_request_free(request);
	web_response_free(&response);
	return sleep_until(req, NULL, held);
}

static int is_health(const char *path)
{
	return strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0;
}

int web_request(struct http_request *req)
{
	enum web_site site = web_site_of(web, req->host);
	struct web_response response = { .body = BUF_INIT };
	struct web_request request;

	if (http_state_exists(req))
		return end_later(req, http_state_get(req));
	if (site == WEB_SITES) {
		http_response(req, HTTP_STATUS_NOT_FOUND, NULL, 0);
		return KORE_RESULT_OK;
	}
	copy_request(req, site, &request);
	if (web_answer_quick(web, &request, &response))
		return end_now(req, &request, &response);
	return site == WEB_AGENTS && !is_health(request.path) ? start_agent(req, &request) : start_page(req, &request);
}
