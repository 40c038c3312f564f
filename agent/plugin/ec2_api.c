/* ec2_api.c - the query API of EC2: parameters in the body, a signature in the header, XML back; what its errors mean, and patience when
 * it is busy. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/plugin/ec2.h"
#include "agent/plugin/sigv4.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "proto/crypto.h"

#define SECONDS 20
#define TRIES 6
#define LIST_TRIES 2
#define FIRST_WAIT_MS 400                /* doubles, less up to half by chance */
#define SKEW_LEAST 60                    /* seconds by which the clock must be off for the server's to be taken */
#define ROLE_MAX 128
#define TYPE "application/x-www-form-urlencoded; charset=utf-8"

struct ec2_api {
	const struct ec2_dialect *dialect;
	struct http *http;
	char url[512], host[300], path[256], region[PROTO_WORD_MAX + 1];
	json_t *keys;                    /* owns the text of the credentials */
	struct sigv4_keys sign;
	time_t skew;                     /* the server's clock less ours */
};

/* What an error of the API is to us, and what to do about it. */
static const struct {
	const char *code;
	int rc, again, skewed;
	const char *advice;
} meanings[] = {
	{ "RequestLimitExceeded", ERR_TOO_MANY, 1, 0, "The cloud throttles this account; it is asked again later" },
	{ "Throttling", ERR_TOO_MANY, 1, 0, "The cloud throttles this account; it is asked again later" },
	{ "InternalError", ERR_UNAVAILABLE, 1, 0, NULL },
	{ "InternalFailure", ERR_UNAVAILABLE, 1, 0, NULL },
	{ "Unavailable", ERR_UNAVAILABLE, 1, 0, NULL },
	{ "ServiceUnavailable", ERR_UNAVAILABLE, 1, 0, NULL },
	{ "AuthFailure", ERR_UNAUTHENTICATED, 0, 0, "The access key id is not known, or the secret access key does not belong to it" },
	{ "InvalidClientTokenId", ERR_UNAUTHENTICATED, 0, 0, "The access key id is not known" },
	{ "SignatureDoesNotMatch", ERR_UNAUTHENTICATED, 0, 1, "The secret access key does not belong to the access key id, or this machine's"
		" clock is wrong" },
	{ "RequestExpired", ERR_UNAUTHENTICATED, 0, 1, "This machine's clock is wrong, or the session token has expired" },
	{ "ExpiredToken", ERR_UNAUTHENTICATED, 0, 0, "The session token has expired: give new credentials" },
	{ "UnauthorizedOperation", ERR_FORBIDDEN, 0, 0, "The policy of these credentials lacks the action: see docs/plugins.md" },
	{ "AccessDenied", ERR_FORBIDDEN, 0, 0, "The policy of these credentials lacks the action: see docs/plugins.md" },
	{ "OptInRequired", ERR_FORBIDDEN, 0, 0, "This account may not use this region" },
	{ "InvalidVolume.NotFound", ERR_NOT_FOUND, 0, 0, "The volume was deleted, or is in another region or account" },
	{ "InvalidVolume.ZoneMismatch", ERR_INVALID, 0, 0, "A volume can be attached only in its own availability zone" },
	{ "InvalidInstanceID.NotFound", ERR_NOT_FOUND, 0, 0, "The credentials are of another account or region than this instance" },
	{ "VolumeInUse", ERR_CONFLICT, 0, 0, "The volume is attached to another instance" },
	{ "IncorrectState", ERR_CONFLICT, 0, 0, NULL },
	{ "AttachmentLimitExceeded", ERR_TOO_MANY, 0, 0, "This instance can take no more volumes" },
};

/* Of the role that the instance has, as the metadata service gives them out. */
static int role_keys(struct imds *m, json_t **out)
{
	char role[ROLE_MAX], *path;
	struct buf text = BUF_INIT;
	int rc = imds_text(m, "meta-data/iam/security-credentials/", role, sizeof role);

	if (rc == 0 && role[0] == '\0')
		rc = err_set(ERR_NOT_FOUND, "the instance has no role");
	if (rc < 0)
		return rc;
	path = mem_printf("meta-data/iam/security-credentials/%s", role);
	rc = imds_get(m, path, &text);
	if (rc == 0)
		rc = json_parse_object(buf_str(&text), text.len, PLUGIN_CREDENTIALS_MAX * 4, out);
	secret_wipe(text.data, text.len);
	buf_free(&text);
	free(path);
	return rc;
}

static int take_keys(struct ec2_api *a, struct kit_question *q, struct imds *metadata)
{
	static const char *const names[2][3] = {
		{ "access_key_id", "secret_access_key", "session_token" }, { "AccessKeyId", "SecretAccessKey", "Token" }
	};
	int by_role = json_object_size(q->credentials) == 0;

	if (by_role && (metadata == NULL || role_keys(metadata, &a->keys) < 0)) {
		q->advice = "Give the image credentials (keyward-config --new-credentials), or the instance a role";
		return err_set(ERR_UNAUTHENTICATED, "there are no credentials, and the instance has no role");
	}
	if (!by_role)
		a->keys = json_deep_copy(q->credentials);
	a->sign = (struct sigv4_keys){ kit_text(a->keys, names[by_role][0]), kit_text(a->keys, names[by_role][1]),
		kit_text(a->keys, names[by_role][2]) };
	if (a->sign.access_key_id[0] == '\0' || a->sign.secret_access_key[0] == '\0')
		return err_set(ERR_UNAUTHENTICATED, "%s or %s is missing", names[by_role][0], names[by_role][1]);
	if (strpbrk(a->sign.access_key_id, "\r\n/ ,") || strpbrk(a->sign.session_token, "\r\n"))
		return err_set(ERR_UNAUTHENTICATED, "%s holds characters that no key has", names[by_role][0]);
	return 0;
}

/* Host as it will be signed, and the path. */
static int take_endpoint(struct ec2_api *a, const char *url)
{
	const char *host = strstr(url, "://");
	size_t len;
	int rc = http_check_secure(url);

	if (rc < 0)
		return rc;
	host += 3;
	len = strcspn(host, "/?#");
	if (len == 0 || len >= sizeof a->host || strlen(url) >= sizeof a->url - 1 || strpbrk(url, "?# ")
		|| strlen(host + len) >= sizeof a->path)
		return err_set(ERR_INVALID, "the endpoint %s is no URL of an API", url);
	snprintf(a->host, sizeof a->host, "%.*s", (int)len, host);
	snprintf(a->path, sizeof a->path, "%s", host[len] ? host + len : "/");
	snprintf(a->url, sizeof a->url, "%s%s", url, host[len] ? "" : "/");
	return 0;
}

int ec2_api_open(const struct ec2_dialect *dialect, struct kit_question *q, struct imds *metadata, const char *region,
	struct ec2_api **out)
{
	const char *set = kit_text(q->settings, "endpoint"), *suffix = strncmp(region, "cn-", 3) == 0 ? ".cn" : "";
	struct http_settings s = { kit_text(q->settings, "ca_file"), kit_text(q->settings, "proxy"), SECONDS };
	struct ec2_api *a = mem_alloc(sizeof *a);
	char *url = *set ? mem_strdup(set) : mem_printf("https://ec2.%s.amazonaws.com%s/", region, suffix);
	int rc = 0;

	a->dialect = dialect;
	a->http = http_open(&s);
	snprintf(a->region, sizeof a->region, "%s", region);
	if (!*set && (dialect->needs_endpoint || *region == '\0'))
		rc = err_set(ERR_INVALID, "the setting \"%s\" is needed", dialect->needs_endpoint ? "endpoint" : "region");
	if (rc == 0 && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region))
		rc = err_set(ERR_INVALID, "\"%s\" is no region", region);
	if (rc == 0)
		rc = take_endpoint(a, url);
	if (rc == 0)
		rc = take_keys(a, q, metadata);
	free(url);
	if (rc == 0)
		*out = a;
	else
		ec2_api_close(a);
	return rc;
}

void ec2_api_close(struct ec2_api *a)
{
	if (a == NULL)
		return;
	http_close(a->http);
	json_decref(a->keys);
	free(a);
}

static char *form(const struct ec2_api *a, const char *action, const char *const *parameters)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "Action=%s&Version=%s", action, a->dialect->api_version);
	for (int i = 0; parameters && parameters[i]; i += 2) {
		buf_printf(&b, "&%s=", parameters[i]);
		http_escape(parameters[i + 1], &b);
	}
	return buf_take(&b);
}

static int post(struct ec2_api *a, const char *body, struct http_answer *out)
{
	struct sigv4_request r = { "POST", a->host, a->path, TYPE, body, a->region[0] ? a->region : "us-east-1", "ec2", time(NULL) + a->skew };
	struct buf authorization = BUF_INIT;
	char date[SIGV4_DATE_SIZE], *lines[4] = { NULL, NULL, NULL, NULL };
	const char *headers[6] = { "Content-Type: " TYPE, NULL };
	int rc = sigv4_sign(&r, &a->sign, &authorization);

	sigv4_date(r.at, date);
	lines[0] = mem_printf("X-Amz-Date: %s", date);
	lines[1] = mem_printf("Authorization: %s", buf_str(&authorization));
	if (a->sign.session_token[0])
		lines[2] = mem_printf("X-Amz-Security-Token: %s", a->sign.session_token);
	for (int i = 0; i < 3; i++)
		headers[i + 1] = lines[i];
	if (rc == 0)
		rc = http_ask(a->http, "POST", a->url, headers, body, NULL, out);
	for (int i = 0; i < 3; i++)
		free(lines[i]);
	buf_free(&authorization);
	return rc;
}

struct fault {
	char code[64], message[200];
	int rc, again, skewed;
	const char *advice;
};

static void read_fault(const struct http_answer *answer, struct fault *f)
{
	struct xml *x = NULL;

	*f = (struct fault){ .rc = answer->status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID, .again = answer->status >= 500 || answer->status == 429 };
	if (xml_parse(buf_str(&answer->body), answer->body.len, &x) == 0) {
		const struct xml_node *e = xml_find(xml_root(x), "Errors/Error");

		e = e ? e : xml_find(xml_root(x), "Error");
		xml_text(e, "Code", f->code, sizeof f->code);
		xml_text(e, "Message", f->message, sizeof f->message);
		xml_free(x);
	}
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (strcmp(meanings[i].code, f->code) == 0) {
			f->rc = meanings[i].rc;
			f->again = meanings[i].again;
			f->skewed = meanings[i].skewed;
			f->advice = meanings[i].advice;
		}
}

static int fail(struct kit_question *q, const char *action, long status, const struct fault *f)
{
	q->advice = f->advice;
	if (f->code[0] == '\0')
		return err_set(f->rc, "%s: the cloud answers with status %ld", action, status);
	return err_set(f->rc, "%s: %s: %s", action, f->code, f->message);
}

static void nap(int attempt)
{
	uint16_t chance = 0;
	long ms = FIRST_WAIT_MS << attempt;
	struct timespec t;

	proto_random(&chance, sizeof chance);
	ms -= ms / 2 * chance / UINT16_MAX;
	t = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
	nanosleep(&t, NULL);
}

/* 1 once: the next try with the server's clock. */
static int adjust_clock(struct ec2_api *a, const struct fault *f, time_t date)
{
	time_t off = date ? date - time(NULL) : 0;

	if (!f->skewed || a->skew != 0 || labs((long)off) < SKEW_LEAST)
		return 0;
	a->skew = off;
	return 1;
}

static int ask(struct ec2_api *a, struct kit_question *q, const char *action, const char *body, struct http_answer *out, struct fault *f)
{
	int rc = 0;

	/* A list goes without rather than late. */
	for (int i = 0, most = q->question == PLUGIN_LIST ? LIST_TRIES : TRIES; i < most; i++) {
		rc = post(a, body, out);
		if (rc == 0 && out->status == 200)
			return 0;
		if (rc < 0 && rc != ERR_UNAVAILABLE)
			return rc;
		if (rc == 0) {
			read_fault(out, f);
			rc = fail(q, action, out->status, f);
			buf_free(&out->body);
			if (adjust_clock(a, f, out->date))
				continue;
			if (!f->again)
				return rc;
		}
		if (i + 1 < most)
			nap(i);
	}
	return rc;
}

int ec2_api_ask(struct ec2_api *a, struct kit_question *q, const char *action, const char *const *parameters, struct xml **out)
{
	char *body = form(a, action, parameters);
	struct http_answer answer;
	struct fault f;
	int rc = ask(a, q, action, body, &answer, &f);

	if (rc == 0) {
		rc = xml_parse(buf_str(&answer.body), answer.body.len, out);
		if (rc < 0)
			err_wrap(rc, "%s", action);
		buf_free(&answer.body);
	}
	free(body);
	return rc;
}

int ec2_api_may(struct ec2_api *a, struct kit_question *q, const char *action, const char *const *parameters)
{
	static const char *const refusals[] = { "UnauthorizedOperation", "AccessDenied" };
	char *plain = form(a, action, parameters), *body = mem_printf("%s&DryRun=true", plain);
	struct http_answer answer;
	struct fault f = { "", "", 0, 0, 0, NULL };
	int rc = ask(a, q, action, body, &answer, &f), asked = rc < 0 && f.code[0] && f.rc != ERR_UNAUTHENTICATED && !f.again;

	if (rc == 0)
		buf_free(&answer.body);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		asked = asked && strcmp(f.code, refusals[i]) != 0;
	free(plain);
	free(body);
	/* DryRunOperation, or that the volume is in use: who is told so may. */
	if (asked)
		q->advice = NULL;
	return asked ? 0 : rc;
}
