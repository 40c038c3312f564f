/* registration.c - DIR/identity.json and DIR/agent-<id>.pem. The identity names the key's file and is replaced last. */
#include "agent/common/registration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/common/pem.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define IDENTITY_MAX 16384

int registration_folder(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set(ERR_IO, "cannot make the folder %s: %s", dir, strerror(errno));
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(ERR_IO, "%s is not a folder that can be used", dir);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(ERR_FORBIDDEN,
			"%s: only its owner, the user that runs this program, may have access (mode 0700)", dir);
	return 0;
}

static char *key_path(const char *dir, const struct uuid *agent)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(agent, id);
	return mem_printf("%s/agent-%s.pem", dir, id);
}

static int read_text(const json_t *o, const char *name, size_t max, char *out)
{
	const char *text = "";
	int rc = json_get_string_opt(o, name, max, &text);

	if (rc == 0)
		snprintf(out, max + 1, "%s", text);
	return rc;
}

static int read_point(const json_t *o, uint8_t point[static PROTO_POINT_SIZE])
{
	struct buf bytes = BUF_INIT;
	const char *text;
	int rc = json_get_string(o, "server_key", 128, &text);

	if (rc == 0)
		rc = decode_base64url(text, &bytes);
	if (rc == 0 && bytes.len != PROTO_POINT_SIZE)
		rc = err_set(ERR_INVALID, "server_key has a wrong length");
	if (rc == 0)
		memcpy(point, bytes.data, PROTO_POINT_SIZE);
	buf_free(&bytes);
	return rc == 0 ? proto_point_check(point) : rc;
}

static int read_members(const json_t *o, struct registration *s)
{
	int rc = json_get_uuid(o, "account", &s->account);

	if (rc == 0)
		rc = json_get_uuid(o, "agent", &s->agent);
	if (rc == 0)
		rc = read_point(o, s->server_key);
	if (rc == 0)
		rc = read_text(o, "url", REGISTRATION_URL_MAX, s->url);
	if (rc == 0)
		rc = read_text(o, "ca_file", REGISTRATION_PATH_MAX, s->ca_file);
	if (rc == 0)
		rc = read_text(o, "provider", PROTO_WORD_MAX, s->provider);
	if (rc == 0)
		rc = read_text(o, "instance_id", PROTO_ID_MAX, s->instance_id);
	if (rc == 0)
		rc = json_get_bool(o, "ignore_ssl_errors", &s->ignore_ssl_errors);
	return rc;
}

static int load_key(const char *dir, struct registration *s)
{
	char *path = key_path(dir, &s->agent);
	int rc = pem_read(path, &s->key, s->public_key);

	free(path);
	/* Without its key the guest is not "not registered": somebody has to look. */
	return rc == ERR_NOT_FOUND ? ERR_IO : rc;
}

int registration_load(const char *dir, struct registration *out)
{
	struct registration s = { .agent = { { 0 } } };
	struct buf text = BUF_INIT;
	json_t *o = NULL;
	char *path = mem_printf("%s/identity.json", dir);
	int rc = file_read(path, IDENTITY_MAX, &text);

	if (rc == 0)
		rc = json_parse_object(buf_str(&text), text.len, IDENTITY_MAX, &o);
	if (rc == 0)
		rc = read_members(o, &s);
	if (rc == ERR_NOT_FOUND || rc == 0)
		rc = rc < 0 ? rc : load_key(dir, &s);
	else
		rc = err_wrap(ERR_IO, "the registration is damaged; restore it, or make another by keyward-config --register --force (%s)", path);
	json_decref(o);
	buf_free(&text);
	free(path);
	if (rc == 0)
		*out = s;
	return rc;
}

static char *identity_text(const struct registration *s)
{
	json_t *o = json_object();
	char *point = encode_base64url(s->server_key, sizeof s->server_key), *text;

	json_set_uuid(o, "account", &s->account);
	json_set_uuid(o, "agent", &s->agent);
	json_set_string(o, "server_key", point);
	json_set_string(o, "url", s->url);
	json_set_string(o, "ca_file", s->ca_file);
	json_set_string(o, "provider", s->provider);
	json_set_string(o, "instance_id", s->instance_id);
	json_set_bool(o, "ignore_ssl_errors", s->ignore_ssl_errors);
	text = json_text(o);
	json_decref(o);
	free(point);
	return text;
}

int registration_save(const char *dir, const struct registration *s)
{
	struct registration former = { .key = NULL };
	int replaces = registration_load(dir, &former) == 0 && !uuid_equal(&former.agent, &s->agent);
	char *key = key_path(dir, &s->agent), *path = mem_printf("%s/identity.json", dir), *text = identity_text(s);
	int rc = pem_write(key, s->key);

	if (rc == 0)
		rc = file_write(path, text, strlen(text), 0600);
	if (rc == 0 && replaces) {
		char *old = key_path(dir, &former.agent);

		unlink(old);
		free(old);
	}
	registration_clear(&former);
	free(text);
	free(path);
	free(key);
	return rc;
}

void registration_clear(struct registration *s)
{
	secret_free(s->key);
	s->key = NULL;
}

uint64_t registration_stamp(const char *dir)
{
	char *path = mem_printf("%s/identity.json", dir);
	uint64_t stamp = file_stamp(path);

	free(path);
	return stamp;
}

int registration_instance_id(const char *dir, char out[static PROTO_ID_MAX + 1])
{
	char *path = mem_printf("%s/instance-id", dir);
	struct buf text = BUF_INIT;
	struct uuid id;
	int rc = file_read(path, PROTO_ID_MAX, &text);

	if (rc == 0)
		rc = uuid_parse(buf_str(&text), &id);
	if (rc == ERR_NOT_FOUND) {
		char made[UUID_TEXT_SIZE];

		id = uuid_new();
		uuid_text(&id, made);
		rc = file_write(path, made, strlen(made), 0600);
	}
	if (rc == 0)
		uuid_text(&id, out);
	buf_free(&text);
	free(path);
	return rc;
}
