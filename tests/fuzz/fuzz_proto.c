/* fuzz_proto.c - everything of the agent protocol that reads bytes from outside, both at the server and at the agent.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE -Isrc -o fuzz_proto \
 *         tests/fuzz/fuzz_proto.c src/proto/[a-z]*.c src/base/[a-z]*.c -lcrypto -lsodium -ljansson
 *     ./fuzz_proto -max_total_time=120 -max_len=8192
 *
 * The first byte chooses the reader, the rest is what arrives. Where a frame is sealed, the input also goes in as the
 * plaintext behind the seal, since no fuzzer finds a GCM tag. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "proto/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct secret *key;
	struct proto_identity identity;
	struct proto_server_enrolment enrolment;
	struct proto_server_session started, open;
	struct proto_agent_enrolment agent_enrolment;
	struct proto_agent_handshake handshake;
	struct proto_client client;
	uint8_t w[32];
	clock_us now;
} world;

static void must(int ok)
{
	if (!ok)
		abort();
}

/* Both ends halfway through everything, once. */
static void world_begin(void)
{
	struct buf up = BUF_INIT, down = BUF_INIT;
	struct proto_description d = {
		.provider = "p", .instance_id = "i", .host = { .name = "h", .system = "s", .agent_version = "1" }
	};

	secret_init();
	world.now = CLOCK_DAY;
	world.key = proto_key_new(world.identity.public_key);
	world.identity.signer = proto_signer_of(world.key);
	world.client.signer = world.identity.signer;
	memcpy(world.client.server_key, world.identity.public_key, PROTO_POINT_SIZE);
	memcpy(world.client.public_key, world.identity.public_key, PROTO_POINT_SIZE);
	world.w[31] = 7;
	memcpy(world.agent_enrolment.w, world.w, 32);
	must(proto_ephemeral_new(&world.agent_enrolment.ephemeral) == 0);
	must(proto_agent_enrol_start(&world.agent_enrolment, &up) == 0);
	must(proto_enrol_accept(&world.enrolment, up.data, up.len, world.w, world.now, &down) == 0);
	must(proto_agent_enrol_finish(
		     &world.agent_enrolment, &down, world.identity.public_key, &world.identity.signer, &d, &up)
		== 0);
	must(proto_ephemeral_new(&world.handshake.ephemeral) == 0);
	must(proto_agent_hello(&world.handshake, &world.client.account, &up) == 0);
	must(proto_hello_accept(&world.started, up.data, up.len, &world.identity, world.now, &down) == 0);
	must(proto_agent_finish(&world.handshake, &world.client, &down, &up) == 0);
	world.open = world.started;
	world.open.state = PROTO_STATE_OPEN;
	buf_free(&down);
	buf_free(&up);
}

static int lookup(void *ctx, const struct uuid *account, const struct uuid *agent, uint8_t key[PROTO_POINT_SIZE])
{
	memcpy(key, world.identity.public_key, PROTO_POINT_SIZE);
	return 0;
}

/* As the agent service does: by kind. */
static void server_frame(const uint8_t *data, size_t size)
{
	struct proto_server_enrolment e = world.enrolment;
	struct proto_server_session s = world.started, o = world.open;
	struct proto_enrol_request request;
	struct proto_reply reply;
	struct proto_frame f;
	struct buf out = BUF_INIT;

	if (proto_frame_peek(data, size, &f) == 0) {
		if (f.kind == PROTO_ENROL_START)
			proto_enrol_accept(&e, data, size, world.w, world.now, &out);
		else if (f.kind == PROTO_HELLO)
			proto_hello_accept(&s, data, size, &world.identity, world.now, &out);
	}
	proto_enrol_open(&e, data, size, world.now, &request);
	proto_finish_accept(&s, data, size, lookup, NULL, 60, world.now, &out);
	proto_record_open(&o, data, size, world.now - 1, &out, &reply);
	buf_free(&out);
}

static void agent_frame(const uint8_t *data, size_t size)
{
	struct proto_agent_handshake h = world.handshake;
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct proto_record_keys keys;
	struct proto_enrolled enrolled;
	uint32_t lifetime;
	clock_us time;

	buf_add(&in, data, size);
	proto_agent_finish(&h, &world.client, &in, &out);
	proto_agent_end(&h, &in, &keys, &lifetime, &time);
	proto_agent_enrol_end(&world.agent_enrolment, &in, &enrolled);
	proto_error_read(data, size, &lifetime);
	buf_free(&out);
	buf_free(&in);
}

/* What decodes must encode to what decodes the same. */
static void request_json(const uint8_t *data, size_t size)
{
	enum proto_message type, again;
	void *request, *back;
	struct buf a = BUF_INIT, b = BUF_INIT;

	if (proto_request_decode(data, size, &type, &request) < 0)
		return;
	/* A name that this build does not know reads as "unknown" and need not be encodable. */
	if (proto_request_encode(type, request, &a) == 0) {
		must(proto_request_decode(a.data, a.len, &again, &back) == 0 && again == type);
		must(proto_request_encode(type, back, &b) == 0 && a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
		proto_request_free(type, back);
	}
	proto_request_free(type, request);
	buf_free(&a);
	buf_free(&b);
}

static void answer_json(const uint8_t *data, size_t size)
{
	enum proto_message type;
	struct proto_refusal refusal;
	void *answer;

	if (size < 1)
		return;
	type = (enum proto_message)(data[0] % PROTO_MESSAGE_COUNT);
	answer = proto_answer_new(type);
	proto_answer_decode(type, data + 1, size - 1, answer, &refusal);
	proto_answer_free(type, answer);
}

/* DATA sealed behind a correct head: what a peer that is proven, but broken or hostile, can send. */
static void sealed(enum proto_kind kind, const struct uuid *id, const uint8_t *confirm, const uint8_t *key,
	const char *direction, const uint8_t *data, size_t size, struct buf *out)
{
	proto_frame_begin(out, kind);
	buf_add(out, id->bytes, sizeof id->bytes);
	buf_add(out, confirm, 32);
	buf_extend(out, size + PROTO_TAG_SIZE);
	must(proto_aead_seal(key, direction, 0, out->data, PROTO_ENROL_CLEAR_SIZE, data, size,
		(uint8_t *)out->data + PROTO_ENROL_CLEAR_SIZE) == 0);
}

static void enrol_plaintext(const uint8_t *data, size_t size)
{
	struct proto_server_enrolment e = world.enrolment;
	struct proto_enrol_request request;
	struct proto_enrolled enrolled;
	struct buf frame = BUF_INIT;

	sealed(PROTO_ENROL_FINISH, &e.id, e.confirm_agent, e.key_agent, PROTO_AGENT_TO_SERVER, data, size, &frame);
	proto_enrol_open(&e, frame.data, frame.len, world.now, &request);
	sealed(PROTO_ENROL_FINISH_ANSWER, &world.enrolment.id, world.enrolment.confirm_server,
		world.enrolment.key_server, PROTO_SERVER_TO_AGENT, data, size, &frame);
	proto_agent_enrol_end(&world.agent_enrolment, &frame, &enrolled);
	buf_free(&frame);
}

static void description_json(const uint8_t *data, size_t size)
{
	struct proto_description d;
	json_t *o = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o) && proto_fields_decode(&proto_description_fields, o, &d) == 0)
		proto_fields_clear(&proto_description_fields, &d);
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const uint8_t *, size_t) = {
		server_frame, agent_frame, request_json, answer_json, enrol_plaintext, description_json,
	};

	if (world.key == NULL)
		world_begin();
	if (size > 0)
		readers[data[0] % (sizeof readers / sizeof *readers)](data + 1, size - 1);
	return 0;
}
