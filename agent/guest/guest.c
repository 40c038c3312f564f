/* guest.c - putting the parts together, and the one way to the server. */
#include "agent/guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/common/proxy.h"
#include "agent/integrity/ask.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/evidence.h"

int guest_conf(struct guest *g, const char *path)
{
	int rc = agent_conf_load(path ? path : AGENT_CONF_PATH, &g->conf);

	if (rc == ERR_NOT_FOUND && path == NULL) {
		agent_conf_init(&g->conf);
		rc = 0;
	}
	return rc;
}

static int make_run_folder(const char *dir)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set(ERR_IO, "cannot make the folder %s: %s", dir, strerror(errno));
	return 0;
}

static void set_volumes(struct guest *g)
{
	const char *program = agent_conf_text(&g->conf, AGENT_VOLUME_PROGRAM);

	g->env.run_dir = agent_conf_text(&g->conf, AGENT_RUN);
	g->env.program = *program ? program : NULL;
}

static int load_state(struct guest *g)
{
	int rc;

	g->stamp = registration_stamp(g->state_dir);
	g->proxy_stamp = proxy_stamp(g->state_dir);
	rc = registration_load(g->state_dir, &g->reg);
	g->registered = rc == 0;
	if (rc < 0 && rc != ERR_NOT_FOUND && g->wish.anew) {
		log_warning("the registration cannot be read, and is replaced", "reason", err_text(), NULL);
		return 0;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

struct provider_context guest_provider_context(const struct guest *g)
{
	return (struct provider_context){ &g->conf, g->state_dir, g->credentials, g->wish.options };
}

static void say_complaints(struct buf *complaints)
{
	char *text = mem_strdup(buf_str(complaints)), *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line)
			log_warning("devices of user data and agent.conf", "what", line, NULL);
	free(text);
	buf_free(complaints);
}

/* User data that cannot be fetched is not known, which is said once; the file counts all the same. */
static void find_wants(struct guest *g)
{
	struct provider_context ctx = guest_provider_context(g);
	struct plugin_user_data *answer;
	struct buf complaints = BUF_INIT;

	free(g->user_data);
	g->user_data = NULL;
	g->wants.count = 0;
	if (g->provider->about.user_data) {
		answer = mem_alloc(sizeof *answer);
		if (provider_ask(g->provider, &ctx, PLUGIN_USER_DATA, NULL, answer) < 0)
			log_warning("the user data is not known", "reason", err_text(), NULL);
		else
			g->user_data = mem_strdup(answer->user_data);
		free(answer);
	}
	if (g->user_data)
		wants_add_user_data(&g->wants, g->user_data, &complaints);
	wants_add_file(&g->wants, &g->conf, &complaints);
	say_complaints(&complaints);
}

int guest_provider(struct guest *g, const char *name)
{
	struct provider_context ctx = guest_provider_context(g);
	struct provider_identity who = { "" };
	struct provider *p = NULL;
	int rc = provider_open(name, &ctx, &p);

	if (rc == 0)
		rc = provider_identify(p, &ctx, &who);
	if (rc < 0) {
		provider_close(p);
		return rc;
	}
	provider_close(g->provider);
	g->provider = p;
	g->who = who;
	find_wants(g);
	return 0;
}

/* The one of the file, of the registration, or the one that fits everywhere. */
static const char *provider_name(const struct guest *g)
{
	const char *set = agent_conf_text(&g->conf, AGENT_PROVIDER);

	if (g->wish.csp)
		return g->wish.csp;
	if (*set)
		return set;
	return g->registered && g->reg.provider[0] ? g->reg.provider : "native";
}

/* Whoever starts a machine from a copy of another one's disk has copied its registration as well. The copy is a machine of its own,
 * which nobody has registered: it asks for no key in the other one's name. */
static void disown_copy(struct guest *g)
{
	g->copied = g->registered && g->reg.instance_id[0] && strcmp(g->reg.instance_id, g->who.instance_id) != 0;
	if (!g->copied)
		return;
	log_warning("this machine is a copy of a registered one, or its id has changed: register it anew", "registered", g->reg.instance_id,
		"instance", g->who.instance_id, NULL);
	registration_clear(&g->reg);
	g->registered = 0;
}

static int set_up(struct guest *g)
{
	const char *engine = agent_conf_text(&g->conf, AGENT_ENGINE);
	int rc = registration_folder(g->state_dir);

	set_volumes(g);
	if (rc == 0)
		rc = make_run_folder(g->env.run_dir);
	if (rc == 0 && *engine)
		rc = volume_engine_find(engine, &g->engine);
	if (rc == 0)
		rc = load_state(g);
	if (rc == 0)
		rc = guest_provider(g, provider_name(g));
	if (rc == 0)
		disown_copy(g);
	return rc;
}

int guest_open(struct guest *g, const char *conf_path, const char *state_dir, const struct guest_wish *wish)
{
	int rc;

	memset(g, 0, sizeof *g);
	g->wake_fd = -1;
	if (wish)
		g->wish = *wish;
	g->conf_path = conf_path;
	g->state_dir = state_dir ? state_dir : AGENT_STATE_PATH;
	rc = guest_conf(g, conf_path);
	if (rc < 0)
		return rc;
	g->found = proto_request_new(PROTO_INVENTORY);
	rc = set_up(g);
	if (rc < 0)
		guest_close(g);
	return rc;
}

void guest_close(struct guest *g)
{
	guest_unlink(g);
	for (int i = 0; i < g->devices_count; i++)
		sealed_free(g->devices[i].one_time);
	g->devices_count = 0;
	registration_clear(&g->reg);
	provider_close(g->provider);
	g->provider = NULL;
	secret_free(g->credentials);
	g->credentials = NULL;
	free(g->user_data);
	g->user_data = NULL;
	proto_request_free(PROTO_INVENTORY, g->found);
	g->found = NULL;
	agent_conf_free(&g->conf);
}

int guest_connect(struct guest *g, const char *url, const char *ca_file, int insecure)
{
	struct proxy proxy = { .password = NULL };
	struct link_settings settings = { url, ca_file, insecure, g->wake_fd, NULL };
	int rc;

	guest_unlink(g);
	g->proxy_stamp = proxy_stamp(g->state_dir);
	rc = proxy_load(g->state_dir, &proxy);
	if (rc == 0)
		settings.proxy = &proxy;
	if (rc == 0 || rc == ERR_NOT_FOUND)
		rc = link_open(&settings, &g->link);
	proxy_clear(&proxy);
	if (rc == 0 && insecure && !g->unchecked)
		log_warning("CERTIFICATE CHECKS ARE SWITCHED OFF by a setting: anyone on the way can pose as the web server",
			"url", url, NULL);
	if (rc == 0)
		g->unchecked = insecure;
	return rc;
}

int guest_link(struct guest *g)
{
	const char *ca = agent_conf_text(&g->conf, AGENT_CA_FILE);
	int insecure = g->reg.ignore_ssl_errors || agent_conf_flag(&g->conf, AGENT_IGNORE_SSL_ERRORS);
	struct proto_enrolled enrolled = { .agent = g->reg.agent };
	struct proto_transport transport;
	struct proto_signer signer = proto_signer_of(g->reg.key);
	int rc = guest_connect(g, g->reg.url, *ca ? ca : g->reg.ca_file, insecure);

	if (rc < 0)
		return rc;
	memcpy(enrolled.server_key, g->reg.server_key, sizeof enrolled.server_key);
	transport = link_transport(g->link);
	proto_client_init(&g->client, &transport, &g->reg.account, &enrolled, g->reg.public_key, &signer);
	g->has_client = 1;
	return 0;
}

void guest_unlink(struct guest *g)
{
	if (g->has_client)
		proto_disconnect(&g->client);
	g->has_client = 0;
	link_close(g->link);
	g->link = NULL;
	g->offline = 0;
	g->backoff = g->next_try = 0;
}

/* Requests of a former registration are over; volumes that are open stay ours to look after. */
static void forget_requests(struct guest *g)
{
	int kept = 0;

	for (int i = 0; i < g->devices_count; i++) {
		if (g->devices[i].state == DEVICE_OPEN || g->devices[i].state == DEVICE_CLOSING)
			g->devices[kept++] = g->devices[i];
		else
			sealed_free(g->devices[i].one_time);
	}
	g->devices_count = kept;
}

int guest_has_changed(const struct guest *g)
{
	return registration_stamp(g->state_dir) != g->stamp || proxy_stamp(g->state_dir) != g->proxy_stamp;
}

int guest_refresh(struct guest *g)
{
	int rc;

	if (!guest_has_changed(g))
		return 0;
	/* Only the proxy: the same guest by another way. */
	if (registration_stamp(g->state_dir) == g->stamp) {
		g->proxy_stamp = proxy_stamp(g->state_dir);
		rc = g->registered ? guest_link(g) : 0;
		if (rc == 0 && g->link)
			log_info("the proxy has changed", "proxy", link_proxy(g->link), NULL);
		return rc;
	}
	guest_unlink(g);
	forget_requests(g);
	registration_clear(&g->reg);
	rc = load_state(g);
	if (rc == 0 && strcmp(provider_name(g), g->provider->name) != 0)
		rc = guest_provider(g, provider_name(g));
	if (rc == 0)
		disown_copy(g);
	if (rc == 0 && g->registered)
		rc = guest_link(g);
	return rc < 0 ? rc : 1;
}

clock_us guest_backoff(clock_us *step)
{
	uint32_t r = 0;

	*step = *step ? *step * 2 : GUEST_BACKOFF_LEAST;
	if (*step > GUEST_BACKOFF_MOST)
		*step = GUEST_BACKOFF_MOST;
	proto_random(&r, sizeof r);
	return *step - (clock_us)((double)r / UINT32_MAX * (double)*step / 2);
}

static void went_offline(struct guest *g)
{
	char text[32];
	clock_us wait = guest_backoff(&g->backoff);

	g->next_try = clock_ticks() + wait;
	snprintf(text, sizeof text, "%.1f", (double)wait / CLOCK_SECOND);
	if (!g->offline)
		log_warning("the server cannot be reached; open volumes stay open", "url", g->reg.url, "reason", err_text(),
			NULL);
	log_debug("trying again", "in_seconds", text, "reason", err_text(), NULL);
	g->outages += !g->offline;
	g->offline = 1;
}

static void came_online(struct guest *g)
{
	if (g->offline)
		log_info("the server answers again", "url", g->reg.url, NULL);
	g->offline = 0;
	g->backoff = g->next_try = 0;
}

int guest_may_call(const struct guest *g)
{
	return clock_ticks() >= g->next_try;
}

int guest_recipient(const struct guest *g, const char *device, struct sealed **one_time, uint8_t public_key[static PROTO_POINT_SIZE],
	uint8_t signature[static PROTO_SIGNATURE_SIZE])
{
	struct proto_recipient recipient = { g->reg.account, g->reg.agent, device, public_key };
	int rc = sealed_new(one_time);

	if (rc < 0)
		return rc;
	sealed_public(*one_time, public_key);
	return proto_recipient_sign(&recipient, &g->client.signer, signature);
}

int guest_call(struct guest *g, enum proto_message type, const void *request, void *answer)
{
	int rc;

	if (!guest_may_call(g))
		return err_set(ERR_UNAVAILABLE, "the server could not be reached; not yet time to try again");
	rc = proto_call(&g->client, type, request, answer);
	if (rc == 0 || g->client.refusal.code[0]) {
		came_online(g);
		if (rc < 0)
			err_set(rc, "%s", g->client.refusal.text[0] ? g->client.refusal.text : err_name(rc));
	} else if (!link_was_woken(g->link)) {
		/* No session, no answer, or one that cannot be read: all of it is "not reached" until it works again. */
		went_offline(g);
	}
	return rc;
}

int guest_tell(struct guest *g, enum proto_message type, const void *request, int *cancel)
{
	struct proto_ack ack = { .cancel = 0 };
	int rc = guest_call(g, type, request, &ack);

	if (rc == 0 && ack.warning[0])
		log_warning("the server says", "message", proto_messages[type].name, "warning", ack.warning, NULL);
	if (rc == 0 && cancel)
		*cancel = ack.cancel;
	return rc;
}

void guest_watch(struct guest *g, const struct proto_watch *files, int count)
{
	memcpy(g->watch, files, (size_t)count * sizeof *files);
	g->watch_count = count;
}

json_t *guest_facts(const struct guest *g)
{
	const char *program = agent_conf_text(&g->conf, AGENT_FACTS_PROGRAM);
	struct facts_wish wish = { g->watch, g->watch_count, &g->who, g->user_data, g->state_dir };

	return facts_ask(*program ? program : NULL, &wish, g->env.brief);
}

int64_t guest_retry_after(const struct guest *g, int64_t standard)
{
	return g->client.refusal.retry_after_s > 0 ? g->client.refusal.retry_after_s : standard;
}

struct device *guest_device(struct guest *g, const char *id)
{
	for (int i = 0; i < g->devices_count; i++)
		if (strcmp(g->devices[i].id, id) == 0)
			return &g->devices[i];
	return NULL;
}

const struct proto_device *guest_found(const struct guest *g, const char *id)
{
	for (int i = 0; i < g->found->devices_count; i++)
		if (strcmp(g->found->devices[i].id, id) == 0)
			return &g->found->devices[i];
	return NULL;
}

struct device *guest_device_add(struct guest *g, const char *id, const char *path)
{
	struct device *d = guest_device(g, id);
	const struct want *want;

	if (d == NULL && g->devices_count < PROTO_DEVICES_MAX) {
		d = &g->devices[g->devices_count++];
		*d = (struct device){ .state = DEVICE_WAITING, .ask_reason = PROTO_REASON_BOOT };
		snprintf(d->id, sizeof d->id, "%s", id);
		device_name(id, d->name);
		want = wants_find(&g->wants, id);
		if (want) {
			d->access = want->access;
			snprintf(d->mount_point, sizeof d->mount_point, "%s", want->mount_point);
		}
	}
	if (d)
		snprintf(d->path, sizeof d->path, "%s", path);
	return d;
}

int guest_is_locked(const struct guest *g, const char *name)
{
	char *path = mem_printf("%s/%s.lock", g->env.run_dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC), locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	free(path);
	return locked;
}

int guest_lock(const struct guest *g, const char *name)
{
	char *path = mem_printf("%s/%s.lock", g->env.run_dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int rc = fd;

	if (fd < 0)
		rc = err_set(ERR_IO, "%s: %s", path, strerror(errno));
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = err_set(ERR_BUSY, "another Keyward program is at it (%s)", path);
		close(fd);
	}
	free(path);
	return rc;
}
