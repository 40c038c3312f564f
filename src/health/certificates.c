/* certificates.c - gathers and reads them. */
#include "health/certificates.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "identity/certificate.h"
#include "store/certificate.h"
#include "store/health.h"

static const struct {
	const char *place, *what, *renew;
} places[] = {
	{ "web", "Web server", "On that machine: keyward certificate request NAME prints a request; have it signed, then keyward certificate install NAME FILE. The web server takes it "
		"without losing a connection." },
	{ "file", "File on the server", "Put the new file in the old one's place and restart what uses it." },
	{ "saml", "Single sign-on, our own", "Make a new key on the page Single Sign-On and give the identity provider the metadata, which hold both; the new one takes over at the time that you say." },
	{ "key-server", "Key server, our client certificate", "Have the key server's administrator issue a new one and enter it on the page Key Server." },
	{ "key-server-ca", "Key server, its CA", "Enter the new CA on the page Key Server." },
	{ "saml-idp", "Single sign-on, the identity provider's", "Import its new metadata on the page Single Sign-On." },
	{ "directory-ca", "Directory, its CA", "Enter the new CA on the page Directory." },
	{ "log", "Receiver of the log, our client certificate", "Have the receiver's administrator issue a new one and enter it on the page Log Forwarding." },
	{ "log-ca", "Receiver of the log, its CA", "Enter the new CA on the page Log Forwarding." },
	{ "mail-ca", "Mail server, its CA", "Enter the new CA on the page Mail." },
};

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static void set_time(json_t *o, const char *name, clock_us at)
{
	char said[CLOCK_TEXT_SIZE];

	clock_text(at, said);
	json_object_set_new(o, name, json_string(said));
}

static json_t *read_one(const json_t *row, clock_us now)
{
	const char *pem = text(row, "pem"), *host = text(row, "host"), *name = text(row, "name");
	struct certificate c;
	size_t i = 0;
	json_t *out;
	int rc = certificate_read(pem, strlen(pem), &c);

	while (i + 1 < ARRAY_LEN(places) && strcmp(places[i].place, text(row, "place")) != 0)
		i++;
	out = json_pack("{s:s, s:s, s:s, s:s}", "place", places[i].place, "what", places[i].what, "renew", places[i].renew, "where", "");
	json_object_set_new(out, "where", json_sprintf("%s%s%s", name, *name && *host ? ", " : "", host));
	if (rc < 0) {
		json_object_update_new(out, json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:b}", "error", err_text(), "days", 0, "subject", "", "issuer", "", "names", "", "fingerprint", "",
			"self_signed", 0));
		return out;
	}
	json_object_update_new(out, json_pack("{s:n, s:I, s:s, s:s, s:s, s:s, s:b}", "error", "days", (json_int_t)((c.not_after - now) / CLOCK_DAY - (c.not_after < now)),
		"subject", c.subject, "issuer", c.issuer, "names", c.names, "fingerprint", c.fingerprint, "self_signed", c.self_signed));
	set_time(out, "not_before", c.not_before);
	set_time(out, "not_after", c.not_after);
	return out;
}

static void insert(json_t *list, json_t *one)
{
	size_t at = 0;

	while (at < json_array_size(list) && json_integer_value(json_object_get(json_array_get(list, at), "days")) <= json_integer_value(json_object_get(one, "days")))
		at++;
	json_array_insert_new(list, at, one);
}

int health_certificates(struct db *db, clock_us now, json_t **out)
{
	json_t *rows = NULL, *row, *list;
	size_t i;
	int rc = certificates_all(db, &rows);

	if (rc < 0)
		return rc;
	list = json_array();
	json_array_foreach(rows, i, row)
		insert(list, read_one(row, now));
	json_decref(rows);
	*out = list;
	return 0;
}

static void add_file(json_t *list, const char *name, const char *path)
{
	struct buf pem = BUF_INIT;

	/* One that this process may not read is another's to tell of; one that is not there is none. */
	if (file_read(path, CERTIFICATE_PEM_MAX, &pem) == 0 && strstr(buf_str(&pem), "-----BEGIN CERTIFICATE-----"))
		json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "place", "file", "name", json_sprintf("%s: %s", name, path), "pem", buf_str(&pem)));
	buf_free(&pem);
}

json_t *health_certificate_files(const struct conf *conf)
{
	json_t *list = json_array(), *settings = health_conninfo(conf_get(conf, CONF_DATABASE_JOBS)), *s;
	char *ca = mem_printf("%s/ca.crt", conf_get(conf, CONF_STATE));
	size_t i;

	add_file(list, "CA of this installation", ca);
	if (*conf_get(conf, CONF_BACKUP_CERTIFICATE))
		add_file(list, "backup.certificate", conf_get(conf, CONF_BACKUP_CERTIFICATE));
	json_array_foreach(settings, i, s)
		if (strcmp(text(s, "name"), "sslrootcert") == 0 || strcmp(text(s, "name"), "sslcert") == 0)
			add_file(list, text(s, "name"), text(s, "value"));
	json_decref(settings);
	free(ca);
	return list;
}
