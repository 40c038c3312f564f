/* proto_vectors.c - writes the test vectors of the agent protocol: real runs with fixed keys, every step on record.
 *
 *     proto_vectors --vectors DIR    enrolment.json, session.json, records.json, evidence.json, errors.json
 *     proto_vectors --messages       the table of messages as it stands in docs/protocol.md
 *
 * ECDSA signatures are random by nature, so each run writes other signatures, and other bytes where they are sealed;
 * tests/vectors/check.py accepts all that are right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "proto_peer.h"

#define PASSPHRASE "Tr\xc3\xa8s secret: 42 chevaux"
#define NOW ((clock_us)1795253400 * CLOCK_SECOND)        /* 2026-11-21T09:30:00Z */

static void must(int rc)
{
	if (rc < 0)
		fatal("%s", err_text());
}

static void set_hex(json_t *o, const char *name, const void *data, size_t len)
{
	char *text = encode_hex(data, len);

	json_set_string(o, name, text);
	free(text);
}

static void set_frame(json_t *o, const char *name, const struct buf *frame)
{
	set_hex(o, name, frame->data, frame->len);
}

static void save(const char *folder, const char *name, json_t *o)
{
	char path[512], *text = json_dumps(o, JSON_INDENT(2) | JSON_SORT_KEYS);
	struct buf b = BUF_INIT;

	snprintf(path, sizeof path, "%s/%s.json", folder, name);
	buf_printf(&b, "%s\n", text);
	must(file_write(path, b.data, b.len, 0644));
	buf_free(&b);
	free(text);
	json_decref(o);
}

/* A scalar that anyone can make again. */
static struct secret *fixed_key(const char *name, uint8_t public_key[static PROTO_POINT_SIZE])
{
	struct secret *s = secret_new(PROTO_SCALAR_SIZE);

	must(proto_sha256(name, strlen(name), s->data));
	must(proto_key_public(s->data, public_key));
	return s;
}

static void fixed_ephemeral(const char *name, struct proto_ephemeral *e)
{
	uint8_t digest[PROTO_DIGEST_SIZE];

	must(proto_sha256(name, strlen(name), e->scalar));
	must(proto_key_public(e->scalar, e->point));
	must(proto_sha256(e->scalar, sizeof e->scalar, e->nonce));
	must(proto_sha256(e->nonce, sizeof e->nonce, digest));
	memcpy(e->id.bytes, digest, sizeof e->id.bytes);
}

/* The cast: one account, one agent, one server. */
static void cast_begin(struct peer *p)
{
	*p = (struct peer){ .known = 1, .now = NOW, .lifetime = 3600 };
	must(uuid_parse("01931b2c-5d00-7a11-8b22-c3d4e5f60718", &p->account));
	must(uuid_parse("01931b2c-5d01-7b33-9c44-d5e6f7081920", &p->agent));
	p->server_key = fixed_key("keyward test vector: server identity", p->identity.public_key);
	p->identity.signer = proto_signer_of(p->server_key);
	p->agent_key = fixed_key("keyward test vector: agent identity", p->agent_public);
	must(proto_enrol_verifier(&p->account, PASSPHRASE, p->verifier));
}

static json_t *cast_json(const struct peer *p)
{
	json_t *o = json_object();

	json_set_uuid(o, "account", &p->account);
	json_set_uuid(o, "agent", &p->agent);
	set_hex(o, "server_identity_scalar", p->server_key->data, 32);
	set_hex(o, "server_identity", p->identity.public_key, PROTO_POINT_SIZE);
	set_hex(o, "agent_identity_scalar", p->agent_key->data, 32);
	set_hex(o, "agent_identity", p->agent_public, PROTO_POINT_SIZE);
	return o;
}

static void enrolment_secrets(json_t *o, const struct proto_agent_enrolment *a, const struct peer *p)
{
	json_set_string(o, "passphrase", PASSPHRASE);
	set_hex(o, "w", p->verifier, 32);
	set_hex(o, "agent_scalar", a->ephemeral.scalar, 32);
	set_hex(o, "transcript", a->secrets.transcript, 32);
	set_hex(o, "ke", a->secrets.spake2.ke, 16);
	set_hex(o, "confirm_agent", a->secrets.spake2.confirm_a, 32);
	set_hex(o, "confirm_server", a->secrets.spake2.confirm_b, 32);
	set_hex(o, "key_agent", a->secrets.key_agent, 32);
	set_hex(o, "key_server", a->secrets.key_server, 32);
}

static void write_enrolment(const char *folder, struct peer *p)
{
	struct proto_agent_enrolment a = { .account = p->account };
	struct proto_description d = { .provider = "native",
		.instance_id = "i-0abc",
		.host = { .name = "db-1",
			.system = "linux",
			.distribution = "debian",
			.version = "12",
			.kernel = "6.1.0",
			.arch = "x86_64",
			.agent_version = "0.1.0" } };
	struct proto_signer signer = proto_signer_of(p->agent_key);
	struct proto_ephemeral server;
	struct proto_enrolled enrolled;
	struct buf up = BUF_INIT, down = BUF_INIT;
	json_t *o = cast_json(p);

	fixed_ephemeral("keyward test vector: enrolment, agent", &a.ephemeral);
	fixed_ephemeral("keyward test vector: enrolment, server", &server);
	memcpy(a.w, p->verifier, sizeof a.w);
	must(proto_agent_enrol_start(&a, &up));
	set_frame(o, "enrol_start", &up);
	must(proto_enrol_accept_with(&p->enrolment, up.data, up.len, p->verifier, p->now, &server, &down));
	set_frame(o, "enrol_start_answer", &down);
	must(proto_agent_enrol_finish(&a, &down, p->agent_public, &signer, &d, &up));
	set_frame(o, "enrol_finish", &up);
	must(proto_enrol_open(&p->enrolment, up.data, up.len, p->now, &p->enrolled));
	must(proto_enrol_grant(&p->enrolment, &p->agent, p->identity.public_key, p->now, &down));
	set_frame(o, "enrol_finish_answer", &down);
	must(proto_agent_enrol_end(&a, &down, &enrolled));
	set_hex(o, "server_scalar", server.scalar, 32);
	set_hex(o, "enrolment_id", server.id.bytes, 16);
	json_set_int(o, "server_time_us", enrolled.server_time);
	enrolment_secrets(o, &a, p);
	save(folder, "enrolment", o);
	proto_agent_enrolment_wipe(&a);
	buf_free(&down);
	buf_free(&up);
}

/* A session with all its steps; the keys of both ends are left in *KEYS and P. */
static void write_session(const char *folder, struct peer *p, struct proto_record_keys *keys)
{
	struct proto_agent_handshake h = { 0 };
	struct proto_server_session *s = &p->sessions[0];
	struct proto_ephemeral server;
	struct proto_client client;
	struct buf up = BUF_INIT, down = BUF_INIT;
	json_t *o = cast_json(p);
	uint32_t lifetime;
	clock_us time;

	fixed_ephemeral("keyward test vector: session, agent", &h.ephemeral);
	fixed_ephemeral("keyward test vector: session, server", &server);
	peer_client(p, &client);
	must(proto_agent_hello(&h, &p->account, &up));
	set_frame(o, "hello", &up);
	must(proto_hello_accept_with(s, up.data, up.len, &p->identity, p->now, &server, &down));
	set_frame(o, "hello_answer", &down);
	must(proto_agent_finish(&h, &client, &down, &up));
	set_frame(o, "finish", &up);
	must(proto_finish_accept(s, up.data, up.len, peer_lookup, p, p->lifetime, p->now, &down));
	set_frame(o, "finish_answer", &down);
	must(proto_agent_end(&h, &down, keys, &lifetime, &time));
	set_hex(o, "agent_scalar", h.ephemeral.scalar, 32);
	set_hex(o, "server_scalar", server.scalar, 32);
	set_hex(o, "master", h.master, 32);
	set_hex(o, "transcript", h.transcript, 32);
	set_hex(o, "key_agent", keys->key_agent, 32);
	set_hex(o, "key_server", keys->key_server, 32);
	json_set_int(o, "lifetime_s", lifetime);
	json_set_int(o, "server_time_us", time);
	save(folder, "session", o);
	p->sessions_count = 1;
	proto_agent_handshake_wipe(&h);
	buf_free(&down);
	buf_free(&up);
}

/* Request and answer with COUNTER, through the server's own functions. */
static json_t *exchange(struct peer *p, struct proto_record_keys *keys, uint64_t counter)
{
	struct proto_server_session *s = &p->sessions[0];
	struct proto_heartbeat *beat = proto_request_new(PROTO_HEARTBEAT);
	struct buf text = BUF_INIT, up = BUF_INIT, plain = BUF_INIT, down = BUF_INIT;
	struct proto_reply reply;
	json_t *o = json_object();

	beat->uptime_s = (int64_t)counter;
	must(proto_request_encode(PROTO_HEARTBEAT, beat, &text));
	must(proto_keys_forward(keys, counter));
	must(proto_record_write(PROTO_RECORD, &s->id, counter, keys->key_agent, text.data, text.len, &up));
	must(proto_record_open(s, up.data, up.len, p->now, &plain, &reply));
	json_set_int(o, "counter", (int64_t)counter);
	json_set_string(o, "request", buf_str(&plain));
	set_frame(o, "record", &up);
	proto_refusal_encode(ERR_TOO_MANY, "slowly", 30, &plain);
	json_set_string(o, "answer", buf_str(&plain));
	must(proto_record_seal(&reply, plain.data, plain.len, &down));
	set_frame(o, "record_answer", &down);
	proto_request_free(PROTO_HEARTBEAT, beat);
	buf_free(&down);
	buf_free(&plain);
	buf_free(&up);
	buf_free(&text);
	return o;
}

static void write_records(const char *folder, struct peer *p, struct proto_record_keys *keys)
{
	static const uint64_t counters[] = { 1, 2, 65535, 65536, 65537, 131072, 327680 };
	json_t *o = json_object(), *list = json_array();

	set_hex(o, "session", p->sessions[0].id.bytes, 16);
	set_hex(o, "key_agent", keys->key_agent, 32);
	set_hex(o, "key_server", keys->key_server, 32);
	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		json_array_append_new(list, exchange(p, keys, counters[i]));
	json_object_set_new(o, "exchanges", list);
	set_hex(o, "last_key_agent", keys->key_agent, 32);
	set_hex(o, "last_key_server", keys->key_server, 32);
	save(folder, "records", o);
}

static void write_evidence(const char *folder, struct peer *p)
{
	uint8_t one_time[PROTO_POINT_SIZE], signature[PROTO_SIGNATURE_SIZE];
	struct secret *key = fixed_key("keyward test vector: recipient", one_time);
	struct proto_recipient r = { p->account, p->agent, "vol-0123456789abcdef0", one_time };
	struct proto_signer signer = proto_signer_of(p->agent_key);
	json_t *o = cast_json(p);

	must(proto_recipient_sign(&r, &signer, signature));
	json_set_string(o, "device", r.device);
	set_hex(o, "recipient_key", one_time, sizeof one_time);
	set_hex(o, "signature", signature, sizeof signature);
	save(folder, "evidence", o);
	secret_free(key);
}

static void write_errors(const char *folder)
{
	static const int codes[] = { ERR_INVALID, ERR_NOT_FOUND, ERR_UNAUTHENTICATED, ERR_CONFLICT, ERR_TOO_LARGE,
		ERR_TOO_MANY, ERR_UNAVAILABLE, ERR_TAMPERED, ERR_REPLAYED, ERR_REORDERED, ERR_TRUNCATED, ERR_VERSION,
		ERR_EXPIRED, ERR_INTERNAL };
	json_t *o = json_object();
	struct buf frame = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		proto_error_frame(codes[i], codes[i] == ERR_TOO_MANY ? 90 : 0, &frame);
		set_frame(o, err_name(codes[i]), &frame);
	}
	save(folder, "errors", o);
	buf_free(&frame);
}

static void write_all(const char *folder)
{
	struct proto_record_keys keys;
	struct peer p;

	secret_init();
	cast_begin(&p);
	write_enrolment(folder, &p);
	write_session(folder, &p, &keys);
	write_records(folder, &p, &keys);
	write_evidence(folder, &p);
	write_errors(folder);
	peer_end(&p);
}

int main(int argc, char **argv)
{
	struct buf table = BUF_INIT;

	if (argc == 3 && strcmp(argv[1], "--vectors") == 0)
		write_all(argv[2]);
	else if (argc == 2 && strcmp(argv[1], "--messages") == 0) {
		proto_message_describe(&table);
		fputs(buf_str(&table), stdout);
		buf_free(&table);
	} else
		fatal("usage: proto_vectors --vectors DIR | --messages");
	return 0;
}
