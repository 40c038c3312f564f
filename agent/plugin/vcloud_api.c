/* vcloud_api.c - see vcloud_api.h. A machine does not know which VM it is: it is found by the hardware addresses of its network cards, those
 * with its host name first. */
#include "agent/plugin/vcloud_api.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/common/host.h"
#include "agent/plugin/http.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/uuid.h"

#define SECONDS 20
#define TOKEN_MAX 4096
#define PAGE_SIZE 128
#define PAGES_MAX 8
#define VMS_MAX 256              /* looked at, to find this one */
#define CARDS_MAX 10
#define ADDRESS_SIZE 18          /* "00:50:56:01:02:03" */

struct vcloud {
	struct http *http;
	char base[VCLOUD_URL_MAX + 1], accept[64], user[PROTO_TEXT_MAX + 1];
	char token[TOKEN_MAX + 32];      /* as a header line */
	int by_password;                 /* the session is ours to end */
	int looked;
	char cards[CARDS_MAX][ADDRESS_SIZE];
	int cards_count;
};

static int meaning(struct kit_question *q, long status, const char *what)
{
	switch (status) {
	case 401:
		q->advice = "User, password or API token is wrong or has expired, or the organization's name is";
		return err_set(ERR_UNAUTHENTICATED, "%s: the director does not accept the credentials", what);
	case 403:
		q->advice = "The role of this user lacks a right: see docs/plugins.md";
		return err_set(ERR_FORBIDDEN, "%s: the director does not permit it", what);
	case 404:
		return err_set(ERR_NOT_FOUND, "%s: the director has no such thing", what);
	case 406:
		q->advice = "Set api_version to one that this director speaks";
		return err_set(ERR_UNSUPPORTED, "%s: the director does not speak this version of its interface", what);
	default:
		return err_set(status >= 500 || status == 429 ? ERR_UNAVAILABLE : ERR_INVALID, "%s: the director answers with status %ld", what, status);
	}
}

static int take_token(struct vcloud *v, const char *token)
{
	size_t len = strlen(token);

	if (len == 0 || len > TOKEN_MAX || strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") != len)
		return err_set(ERR_UNAVAILABLE, "the director gives no token");
	snprintf(v->token, sizeof v->token, "Authorization: Bearer %s", token);
	return 0;
}

/* An API token is a refresh token of OAuth: it gives a token for this session (RFC 6749, section 6). */
static int by_api_token(struct vcloud *v, struct kit_question *q, const char *organization)
{
	const char *headers[] = { "Accept: application/json", "Content-Type: application/x-www-form-urlencoded", NULL };
	struct buf body = BUF_INIT, name = BUF_INIT;
	struct http_answer a;
	const char *token;
	json_t *o = NULL;
	char *url;
	int rc;

	http_escape(organization, &name);
	url = mem_printf("%s/oauth/tenant/%s/token", v->base, buf_str(&name));
	buf_puts(&body, "grant_type=refresh_token&refresh_token=");
	http_escape(kit_text(q->credentials, "api_token"), &body);
	rc = http_ask(v->http, "POST", url, headers, buf_str(&body), NULL, &a);
	/* OAuth says 400 to a token that is not (or no longer) one. */
	if (rc == 0 && a.status != 200)
		rc = meaning(q, a.status == 400 ? 401 : a.status, "signing in");
	if (rc == 0)
		rc = json_parse_object(buf_str(&a.body), a.body.len, HTTP_BODY_MAX, &o);
	if (rc == 0)
		rc = json_get_string(o, "access_token", TOKEN_MAX, &token);
	if (rc == 0)
		rc = take_token(v, token);
	json_decref(o);
	buf_free(&a.body);
	secret_wipe(body.data, body.len);
	buf_free(&body);
	buf_free(&name);
	free(url);
	return rc;
}

static char *basic(const char *user, const char *organization, const char *password)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *plain = mem_printf("%s@%s:%s", user, organization, password);
	size_t len = strlen(plain);
	struct buf out = BUF_INIT;

	buf_puts(&out, "Authorization: Basic ");
	for (size_t i = 0; i < len; i += 3) {
		unsigned n = (unsigned)(unsigned char)plain[i] << 16 | (i + 1 < len ? (unsigned)(unsigned char)plain[i + 1] << 8 : 0)
			| (i + 2 < len ? (unsigned char)plain[i + 2] : 0);

		buf_putc(&out, letters[n >> 18]);
		buf_putc(&out, letters[n >> 12 & 63]);
		buf_putc(&out, i + 1 < len ? letters[n >> 6 & 63] : '=');
		buf_putc(&out, i + 2 < len ? letters[n & 63] : '=');
	}
	secret_wipe(plain, len);
	free(plain);
	return buf_take(&out);
}

static int by_password(struct vcloud *v, struct kit_question *q, const char *organization)
{
	char *login = basic(kit_text(q->credentials, "user"), organization, kit_text(q->credentials, "password"));
	char *url = mem_printf("%s/cloudapi/1.0.0/sessions", v->base), *accept = mem_printf("Accept: application/json;version=%s",
		kit_text(q->settings, "api_version"));
	const char *headers[] = { login, accept, NULL };
	struct http_answer a;
	int rc = http_ask(v->http, "POST", url, headers, "", "X-VMWARE-VCLOUD-ACCESS-TOKEN", &a);

	if (rc == 0 && a.status != 200)
		rc = meaning(q, a.status, "signing in");
	if (rc == 0)
		rc = take_token(v, a.header);
	v->by_password = rc == 0;
	buf_free(&a.body);
	secret_wipe(login, strlen(login));
	free(login);
	free(accept);
	free(url);
	return rc;
}

static int sign_in(struct vcloud *v, struct kit_question *q)
{
	const char *organization = kit_text(q->settings, "organization"), *user = kit_text(q->credentials, "user");

	if (*kit_text(q->credentials, "api_token")) {
		snprintf(v->user, sizeof v->user, "API token@%.200s", organization);
		return by_api_token(v, q, organization);
	}
	if (*user == '\0' || *kit_text(q->credentials, "password") == '\0') {
		q->advice = "Give the image an api_token, or user and password, with keyward-config --new-credentials";
		return err_set(ERR_UNAUTHENTICATED, "there are no credentials");
	}
	snprintf(v->user, sizeof v->user, "%.100s@%.150s", user, organization);
	return by_password(v, q, organization);
}

int vcloud_open(struct kit_question *q, struct vcloud **out)
{
	struct http_settings s = { kit_text(q->settings, "ca_file"), kit_text(q->settings, "proxy"), SECONDS };
	const char *endpoint = kit_text(q->settings, "endpoint"), *version = kit_text(q->settings, "api_version");
	struct vcloud *v;
	size_t len = strlen(endpoint);
	int rc = http_check_secure(endpoint);

	if (rc == 0 && (len > VCLOUD_URL_MAX - 256 || strpbrk(endpoint, "?# ") || strspn(version, "0123456789.") != strlen(version)
		|| strlen(version) > 8))
		rc = err_set(ERR_INVALID, "endpoint or api_version cannot be used");
	if (rc == 0 && *kit_text(q->settings, "organization") == '\0')
		rc = err_set(ERR_INVALID, "the setting \"organization\" is needed");
	if (rc < 0)
		return rc;
	while (len > 0 && endpoint[len - 1] == '/')
		len--;
	v = mem_alloc(sizeof *v);
	v->http = http_open(&s);
	snprintf(v->base, sizeof v->base, "%.*s", (int)len, endpoint);
	snprintf(v->accept, sizeof v->accept, "Accept: application/*+xml;version=%s", version);
	rc = sign_in(v, q);
	if (rc == 0)
		*out = v;
	else
		vcloud_close(v);
	return rc;
}

void vcloud_close(struct vcloud *v)
{
	const char *headers[] = { v ? v->token : NULL, "Accept: application/json;version=36.0", NULL };
	struct http_answer a;
	char *url;

	if (v == NULL)
		return;
	if (v->by_password) {
		url = mem_printf("%s/cloudapi/1.0.0/sessions/current", v->base);
		if (http_ask(v->http, "DELETE", url, headers, NULL, NULL, &a) == 0)
			buf_free(&a.body);
		free(url);
	}
	http_close(v->http);
	secret_wipe(v->token, sizeof v->token);
	free(v);
}

const char *vcloud_user(const struct vcloud *v)
{
	return v->user;
}

/* URLs in answers are followed only where they stay with this director: the token goes along. */
static int get(struct vcloud *v, struct kit_question *q, const char *path, struct xml **out)
{
	const char *headers[] = { v->token, v->accept, NULL };
	char *url = mem_printf("%s%s", v->base, path);
	struct http_answer a;
	int rc = http_ask(v->http, "GET", url, headers, NULL, NULL, &a);

	if (rc == 0 && a.status != 200)
		rc = meaning(q, a.status, path);
	if (rc == 0)
		rc = xml_parse(buf_str(&a.body), a.body.len, out);
	buf_free(&a.body);
	free(url);
	return rc;
}

int vcloud_vm_id(const char *text, char out[static VCLOUD_VM_MAX + 1])
{
	static const char *const prefixes[] = { "urn:vcloud:vm:", "/vApp/vm-", "vm-" };
	const char *at = NULL;
	struct uuid id;
	char uuid[UUID_TEXT_SIZE];

	for (size_t i = 0; at == NULL && i < ARRAY_LEN(prefixes); i++)
		if ((at = strstr(text, prefixes[i])) != NULL)
			at += strlen(prefixes[i]);
	at = at ? at : text;
	if (strlen(at) < UUID_TEXT_SIZE - 1)
		return 0;
	snprintf(uuid, sizeof uuid, "%s", at);
	if (uuid_parse(uuid, &id) < 0 || (at[UUID_TEXT_SIZE - 1] && at[UUID_TEXT_SIZE - 1] != '/'))
		return 0;
	uuid_text(&id, uuid);
	snprintf(out, VCLOUD_VM_MAX + 1, "vm-%s", uuid);
	return 1;
}

/* Addresses of cards that hardware (or what looks like it) is behind. */
static void read_cards(struct vcloud *v)
{
	DIR *dir = opendir("/sys/class/net");
	const struct dirent *d;

	while (dir && v->cards_count < CARDS_MAX && (d = readdir(dir)) != NULL) {
		char path[PATH_MAX], address[64];

		snprintf(path, sizeof path, "/sys/class/net/%s/device", d->d_name);
		if (d->d_name[0] == '.' || access(path, F_OK) < 0)
			continue;
		snprintf(path, sizeof path, "/sys/class/net/%s/address", d->d_name);
		host_read_line(path, address, sizeof address);
		if (strlen(address) == ADDRESS_SIZE - 1 && strcmp(address, "00:00:00:00:00:00") != 0)
			memcpy(v->cards[v->cards_count++], address, ADDRESS_SIZE);
	}
	if (dir)
		closedir(dir);
}

static int has_card(const struct vcloud *v, const char *address)
{
	for (int i = 0; i < v->cards_count; i++)
		if (strcasecmp(v->cards[i], address) == 0)
			return 1;
	return 0;
}

static int has_our_card(const struct vcloud *v, const struct xml *vm)
{
	const struct xml_node *n = NULL;
	char address[32];

	while ((n = xml_walk(xml_root(vm), n, "NetworkConnection")) != NULL)
		if (has_card(v, xml_text(n, "MACAddress", address, sizeof address)))
			return 1;
	return 0;
}

static int get_vm(struct vcloud *v, struct kit_question *q, const char *id, struct xml **out)
{
	char *path = mem_printf("/api/vApp/%s", id);
	int rc = get(v, q, path, out);

	free(path);
	return rc;
}

/* Each VM of a page of records that is (BY_NAME) called like this machine, or is not: 1 and *OUT when it is this one. */
static int search_page(struct vcloud *v, struct kit_question *q, const struct xml *page, const char *host, int by_name, struct xml **out)
{
	const struct xml_node *n = NULL;

	while (v->looked < VMS_MAX && (n = xml_walk(xml_root(page), n, "VMRecord")) != NULL) {
		char name[256], href[VCLOUD_URL_MAX + 1], id[VCLOUD_VM_MAX + 1], template[8];
		struct xml *vm = NULL;
		int rc;

		xml_attribute(n, "name", name, sizeof name);
		xml_attribute(n, "href", href, sizeof href);
		xml_attribute(n, "isVAppTemplate", template, sizeof template);
		if (strcmp(template, "true") == 0 || (strcasecmp(name, host) == 0) != by_name || !vcloud_vm_id(href, id))
			continue;
		v->looked++;
		rc = get_vm(v, q, id, &vm);
		if (rc == 0 && has_our_card(v, vm)) {
			*out = vm;
			return 1;
		}
		xml_free(vm);
		/* One that was deleted meanwhile is none of ours. */
		if (rc < 0 && rc != ERR_NOT_FOUND && rc != ERR_FORBIDDEN)
			return rc;
	}
	return 0;
}

static int search(struct vcloud *v, struct kit_question *q, const char *host, int by_name, struct xml **out)
{
	int rc = 0;

	for (int page = 1; page <= PAGES_MAX && rc == 0; page++) {
		char *path = mem_printf("/api/query?type=vm&format=records&pageSize=%d&page=%d", PAGE_SIZE, page);
		struct xml *x = NULL;
		char total[16];

		rc = get(v, q, path, &x);
		free(path);
		if (rc < 0)
			return rc;
		xml_attribute(xml_root(x), "total", total, sizeof total);
		rc = search_page(v, q, x, host, by_name, out);
		xml_free(x);
		if (strtol(total, NULL, 10) <= (long)page * PAGE_SIZE)
			break;
	}
	return rc;
}

int vcloud_find_vm(struct vcloud *v, struct kit_question *q, struct xml **out)
{
	const char *set = kit_text(q->settings, "vm");
	char id[VCLOUD_VM_MAX + 1];
	struct proto_host host;
	int rc;

	if (*set)
		return vcloud_vm_id(set, id) ? get_vm(v, q, id, out) : err_set(ERR_INVALID, "\"%s\" is no id of a VM", set);
	host_describe(&host);
	read_cards(v);
	rc = search(v, q, host.name, 1, out);
	if (rc == 0)
		rc = search(v, q, host.name, 0, out);
	if (rc == 0) {
		q->advice = "Set the VM's id: provider_setting = vm=vm-...";
		return err_set(ERR_NOT_FOUND, "no VM of this organization has the network addresses of this machine");
	}
	return rc < 0 ? rc : 0;
}
