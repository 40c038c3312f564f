/* test_proto_message.c - the table of messages: every message both ways, limits, and what strangers may send. */
#include "check.h"

#include "base/json.h"
#include "proto_peer.h"

/* Every member filled with something legal, by the table itself. */
static void fill(const struct proto_fields *f, void *s, int seed);

static void fill_text(const struct proto_field *row, char *out, int seed)
{
	size_t len = seed % 2 ? row->max : 1 + row->max / 3;

	for (size_t i = 0; i < len; i++)
		out[i] = (char)('a' + (seed + (int)i) % 26);
	if (len >= 3 && seed % 3 == 0)
		memcpy(out, "\"\xc3\xa9", 3);
}

static void fill_row(const struct proto_field *row, void *s, int seed)
{
	void *v = (char *)s + row->offset;
	int count;

	switch (row->kind) {
	case PROTO_FIELD_TEXT: fill_text(row, v, seed); break;
	case PROTO_FIELD_INT: *(int64_t *)v = seed % 2 ? row->least : row->most; break;
	case PROTO_FIELD_BOOL: *(int *)v = 1; break;
	case PROTO_FIELD_UUID: *(struct uuid *)v = uuid_new(); break;
	case PROTO_FIELD_BYTES: memset(v, 0x41 + seed, row->max); break;
	case PROTO_FIELD_OBJECT: fill(row->sub, v, seed + 1); break;
	case PROTO_FIELD_JSON:
		*(json_t **)v = json_pack("{s:s,s:[i,{s:b}]}", "os", "linux", "list", seed, "x", 1);
		break;
	case PROTO_FIELD_NAME:
		for (count = 0; row->names[count]; count++)
			;
		*(int *)v = 1 + seed % (count - 1);
		break;
	case PROTO_FIELD_LIST:
		count = seed % 2 ? (int)row->max : 2;
		*(int *)(void *)((char *)s + row->count_offset) = count;
		for (int i = 0; i < count; i++)
			fill(row->sub, (char *)v + (size_t)i * row->sub->size, 2 * (seed + i));
	}
}

static void fill(const struct proto_fields *f, void *s, int seed)
{
	for (size_t i = 0; i < f->count; i++)
		fill_row(&f->rows[i], s, seed + (int)i);
}

static void check_request(enum proto_message type, int seed)
{
	void *in = proto_request_new(type), *out;
	struct buf text = BUF_INIT, again = BUF_INIT;
	enum proto_message got;
	int rc;

	fill(proto_messages[type].request, in, seed);
	CHECK_INT(proto_request_encode(type, in, &text), 0);
	rc = proto_request_decode(text.data, text.len, &got, &out);
	if (rc < 0)
		printf("    %s: %s\n", proto_messages[type].name, err_text());
	CHECK_INT(rc, 0);
	if (rc == 0) {
		CHECK_INT(got, type);
		CHECK_INT(proto_request_encode(type, out, &again), 0);
		CHECK_STR(buf_str(&again), buf_str(&text));
		proto_request_free(type, out);
	}
	proto_request_free(type, in);
	buf_free(&again);
	buf_free(&text);
}

static void check_answer(enum proto_message type, int seed)
{
	void *in = proto_answer_new(type), *out = proto_answer_new(type);
	struct buf text = BUF_INIT, again = BUF_INIT;

	fill(proto_messages[type].answer, in, seed);
	CHECK_INT(proto_answer_encode(type, in, &text), 0);
	CHECK_INT(proto_answer_decode(type, text.data, text.len, out, NULL), 0);
	CHECK_INT(proto_answer_encode(type, out, &again), 0);
	CHECK_STR(buf_str(&again), buf_str(&text));
	proto_answer_free(type, in);
	proto_answer_free(type, out);
	buf_free(&again);
	buf_free(&text);
}

TEST(every_message_both_ways, "AGT-2")
{
	for (int type = 0; type < PROTO_MESSAGE_COUNT; type++) {
		for (int seed = 0; seed < 7; seed++) {
			check_request((enum proto_message)type, seed);
			check_answer((enum proto_message)type, seed);
		}
	}
}

static int decode(const char *text)
{
	enum proto_message type;
	void *request;
	int rc = proto_request_decode(text, strlen(text), &type, &request);

	if (rc == 0)
		proto_request_free(type, request);
	return rc;
}

/* Each member of each request: missing, of a wrong type, too long. */
static void check_member(enum proto_message type, const struct proto_field *row, const json_t *good)
{
	json_t *o = json_deep_copy(good);
	char *text;
	int rc;

	json_object_del(o, row->name);
	rc = decode(text = json_text(o));
	free(text);
	if (rc != (row->required ? ERR_INVALID : 0)) {
		printf("    %s without %s: %d\n", proto_messages[type].name, row->name, rc);
		check_failures++;
	}
	json_object_set_new(o, row->name, json_real(1.5));
	CHECK_INT(decode(text = json_text(o)), ERR_INVALID);
	free(text);
	if (row->kind == PROTO_FIELD_TEXT || row->kind == PROTO_FIELD_BYTES) {
		text = mem_alloc(row->max * 2 + 2);
		memset(text, 'A', row->kind == PROTO_FIELD_TEXT ? row->max + 1 : row->max * 2 + 1);
		json_object_set_new(o, row->name, json_string(text));
		free(text);
	} else if (row->kind == PROTO_FIELD_INT)
		json_object_set_new(o, row->name, json_integer(row->most + 1));
	CHECK_INT(decode(text = json_text(o)), ERR_INVALID);
	free(text);
	if (row->kind == PROTO_FIELD_TEXT) {
		json_object_set_new(o, row->name, json_stringn("a\0b", 3));
		CHECK_INT(decode(text = json_text(o)), ERR_INVALID);
		free(text);
	}
	json_decref(o);
}

TEST(every_member_is_checked, "AGT-2,SEC-5")
{
	for (int i = 0; i < PROTO_MESSAGE_COUNT; i++) {
		enum proto_message type = (enum proto_message)i;
		const struct proto_fields *f = proto_messages[type].request;
		void *in = proto_request_new(type);
		json_t *good;

		fill(f, in, 2);
		CHECK_INT(proto_fields_encode(f, in, &good), 0);
		json_set_string(good, "type", proto_messages[type].name);
		for (size_t m = 0; m < f->count; m++)
			check_member(type, &f->rows[m], good);
		json_decref(good);
		proto_request_free(type, in);
	}
}

TEST(what_strangers_send, "SEC-5")
{
	struct buf b = BUF_INIT;

	CHECK_INT(decode(""), ERR_INVALID);
	CHECK_INT(decode("[]"), ERR_INVALID);
	CHECK_INT(decode("{}"), ERR_INVALID);
	CHECK_INT(decode("{\"type\":7}"), ERR_INVALID);
	CHECK_INT(decode("{\"type\":\"refusal\"}"), ERR_UNSUPPORTED);
	CHECK_INT(decode("{\"type\":\"bye\",\"type\":\"bye\",\"reason\":\"user\"}"), ERR_INVALID);
	CHECK_INT(decode("{\"type\":\"bye\",\"reason\":\"user\"} x"), ERR_INVALID);
	CHECK_INT(decode("{\"type\":\"bye\",\"reason\":\"user\",\"later\":[1,{}]}"), 0);         /* a newer agent */
	CHECK_INT(decode("{\"type\":\"bye\",\"reason\":\"brand-new-reason\"}"), 0);
	CHECK_INT(decode("{\"type\":\"report\",\"facts\":[]}"), ERR_INVALID);
	CHECK_INT(decode("{\"type\":\"report\",\"facts\":{\"a\":[[[[[[[[[[[1]]]]]]]]]]]}}"), 0);  /* 12 deep */
	CHECK_INT(decode("{\"type\":\"report\",\"facts\":{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}}"), ERR_INVALID);
	CHECK_INT(decode("{\"type\":\"key_poll\",\"request\":\"x\"}"), ERR_INVALID);
	CHECK_INT(decode("{\"type\":\"inventory\",\"provider\":\"a\",\"instance_id\":\"b\",\"host\":{\"name\":\"\"}}"),
		ERR_INVALID);
	CHECK_STR(err_text(), "host: name: empty");
	buf_puts(&b, "{\"type\":\"report\",\"facts\":{\"a\":\"");
	memset(buf_extend(&b, PROTO_FACTS_MAX), 'x', PROTO_FACTS_MAX);
	buf_puts(&b, "\"}}");
	CHECK_INT(decode(b.data), ERR_TOO_LARGE);
	memset(buf_extend(&b, PROTO_MESSAGE_MAX), ' ', PROTO_MESSAGE_MAX);
	CHECK_INT(decode(b.data), ERR_TOO_LARGE);
	buf_reset(&b);
	buf_puts(&b, "{\"type\":\"heartbeat\",\"uptime_s\":1,\"volumes\":[");
	for (int i = 0; i <= PROTO_DEVICES_MAX; i++)
		buf_printf(&b, "%s{\"device\":\"d%d\",\"status\":\"open\"}", i ? "," : "", i);
	buf_puts(&b, "]}");
	CHECK_INT(decode(b.data), ERR_INVALID);
	buf_free(&b);
}

/* An error late in a list releases what came before it (the leak checker watches). */
TEST(failed_decoding_leaves_nothing, "SEC-5")
{
	CHECK_INT(decode("{\"type\":\"key_request\",\"facts\":{\"a\":1},\"device\":\"d\",\"access\":\"read-only\","
		"\"recipient_key\":\"AA\",\"signature\":\"AA\"}"), ERR_INVALID);
	CHECK_INT(decode("{\"type\":\"heartbeat\",\"uptime_s\":1,\"volumes\":[{\"device\":\"d\",\"status\":\"open\"},{}"
			 "]}"),
		ERR_INVALID);
	CHECK_STR(err_text(), "volumes: device: missing");
}

TEST(encoding_is_checked_too, "SEC-5")
{
	struct proto_bye bye = { .reason = 99 };
	struct proto_closed closed = { .device = "d", .reason = PROTO_REASON_REVOKED, .detail = "\xff" };
	struct proto_key_poll poll = { { { 0 } } };
	struct proto_provision_progress progress = { .device = "d", .percent = 101 };
	struct proto_report report = { .facts = NULL };
	struct proto_opened *opened = proto_request_new(PROTO_OPENED);
	struct buf b = BUF_INIT;

	CHECK_INT(proto_request_encode(PROTO_BYE, &bye, &b), ERR_INVALID);
	CHECK_INT(proto_request_encode(PROTO_CLOSED, &closed, &b), ERR_INVALID);
	CHECK_INT(proto_request_encode(PROTO_KEY_POLL, &poll, &b), ERR_INVALID);
	CHECK_INT(proto_request_encode(PROTO_PROVISION_PROGRESS, &progress, &b), ERR_INVALID);
	CHECK_INT(proto_request_encode(PROTO_REPORT, &report, &b), ERR_INVALID);
	opened->request = uuid_new();
	memset(opened->device, 'x', sizeof opened->device);      /* no closing zero */
	CHECK_INT(proto_request_encode(PROTO_OPENED, opened, &b), ERR_INVALID);
	CHECK_INT(b.len, 0);
	progress.percent = 0;                                    /* required, and zero is a number */
	CHECK_INT(proto_request_encode(PROTO_PROVISION_PROGRESS, &progress, &b), 0);
	CHECK_STR(buf_str(&b), "{\"device\":\"d\",\"percent\":0,\"type\":\"provision_progress\"}");
	proto_request_free(PROTO_OPENED, opened);
	buf_free(&b);
}

static int answer_of(const char *text, struct proto_refusal *r)
{
	struct proto_ack ack;

	return proto_answer_decode(PROTO_OPENED, text, strlen(text), &ack, r);
}

TEST(answers_and_refusals, "AGT-2")
{
	struct proto_refusal r = { .code = "" };
	struct buf b = BUF_INIT;
	char words[600];

	CHECK_INT(answer_of("{\"type\":\"opened\"}", &r), 0);
	CHECK_INT(answer_of("{\"type\":\"closed\"}", &r), ERR_INVALID);
	CHECK_INT(answer_of("{\"type\":\"refusal\"}", &r), ERR_INVALID);
	CHECK_INT(answer_of("{\"type\":\"refusal\",\"code\":\"conflict\",\"text\":\"no\"}", &r), ERR_CONFLICT);
	CHECK_STR(r.text, "no");
	CHECK_INT(answer_of("{\"type\":\"refusal\",\"code\":\"new-code\"}", NULL), ERR_FORBIDDEN);
	proto_refusal_encode(ERR_TOO_MANY, "slowly", 30, &b);
	CHECK_STR(buf_str(&b), "{\"code\":\"too-many\",\"retry_after_s\":30,\"text\":\"slowly\",\"type\":\"refusal\"}");
	memset(words, 'a', sizeof words - 1);
	words[sizeof words - 1] = '\0';
	memcpy(words + PROTO_TEXT_MAX - 1, "\xc3\xa9", 2);       /* cut within a character */
	proto_refusal_encode(ERR_TOO_MANY, words, -1, &b);
	CHECK_INT(answer_of(buf_str(&b), &r), ERR_TOO_MANY);
	buf_free(&b);
}

TEST(names_and_types_are_distinct, "AGT-2")
{
	for (int i = 0; i < PROTO_MESSAGE_COUNT; i++)
		for (int j = 0; j < i; j++)
			CHECK(strcmp(proto_messages[i].name, proto_messages[j].name) != 0);
	CHECK_STR(proto_access_names[PROTO_ACCESS_READ_WRITE], "read-write");
	CHECK_STR(proto_key_status_names[PROTO_KEY_REVOKED], "revoked");
	CHECK_STR(proto_order_names[PROTO_ORDER_LOG_LEVEL], "log-level");
	CHECK(proto_reason_names[PROTO_REASON_BOOT + 1] == NULL);
}

TEST_MAIN
