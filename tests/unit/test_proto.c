/* test_proto.c - the agent protocol: primitives against published vectors, enrolment, session, records. */
#include "check.h"

#include "base/encode.h"
#include "proto_peer.h"

static void unhex(const char *text, uint8_t *out, size_t len)
{
	struct buf b = BUF_INIT;

	CHECK_INT(decode_hex(text, &b), 0);
	CHECK_INT(b.len, len);
	if (b.len == len)
		memcpy(out, b.data, len);
	buf_free(&b);
}

static int same(const uint8_t *data, size_t len, const char *hex)
{
	char *text = encode_hex(data, len);
	int yes = strcmp(text, hex) == 0;

	free(text);
	return yes;
}

/* RFC 9382, appendix B: all four of its vectors for P-256. */
static const struct {
	const char *a, *b, *w, *x, *y, *share_a, *share_b, *ke, *confirm_a, *confirm_b;
} spake2_vectors[] = {
	{ "server", "client",
		"2ee57912099d31560b3a44b1184b9b4866e904c49d12ac5042c97dca461b1a5f",
		"43dd0fd7215bdcb482879fca3220c6a968e66d70b1356cac18bb26c84a78d729",
		"dcb60106f276b02606d8ef0a328c02e4b629f84f89786af5befb0bc75b6e66be",
		"04a56fa807caaa53a4d28dbb9853b9815c61a411118a6fe516a8798434751470f9"
		"010153ac33d0d5f2047ffdb1a3e42c9b4e6be662766e1eeb4116988ede5f912c",
		"0406557e482bd03097ad0cbaa5df82115460d951e3451962f1eaf4367a420676d0"
		"9857ccbc522686c83d1852abfa8ed6e4a1155cf8f1543ceca528afb591a1e0b7",
		"0e0672dc86f8e45565d338b0540abe69",
		"58ad4aa88e0b60d5061eb6b5dd93e80d9c4f00d127c65b3b35b1b5281fee38f0",
		"d3e2e547f1ae04f2dbdbf0fc4b79f8ecff2dff314b5d32fe9fcef2fb26dc459b" },
	{ "", "client",
		"0548d8729f730589e579b0475a582c1608138ddf7054b73b5381c7e883e2efae",
		"403abbe3b1b4b9ba17e3032849759d723939a27a27b9d921c500edde18ed654b",
		"903023b6598908936ea7c929bd761af6039577a9c3f9581064187c3049d87065",
		"04a897b769e681c62ac1c2357319a3d363f610839c4477720d24cbe32f5fd85f44"
		"fb92ba966578c1b712be6962498834078262caa5b441ecfa9d4a9485720e918a",
		"04e0f816fd1c35e22065d5556215c097e799390d16661c386e0ecc84593974a61b"
		"881a8c82327687d0501862970c64565560cb5671f696048050ca66ca5f8cc7fc",
		"642f05c473c2cd79909f9a841e2f30a7",
		"47d29e6666af1b7dd450d571233085d7a9866e4d49d2645e2df975489521232b",
		"3313c5cefc361d27fb16847a91c2a73b766ffa90a4839122a9b70a2f6bd1d6df" },
	{ "server", "",
		"626e0cdc7b14c9db3e52a0b1b3a768c98e37852d5db30febe0497b14eae8c254",
		"07adb3db6bc623d3399726bfdbfd3d15a58ea776ab8a308b00392621291f9633",
		"b6a4fc8dbb629d4ba51d6f91ed1532cf87adec98f25dd153a75accafafedec16",
		"04f88fb71c99bfffaea370966b7eb99cd4be0ff1a7d335caac4211c4afd855e2e1"
		"5a873b298503ad8ba1d9cbb9a392d2ba309b48bfd7879aefd0f2cea6009763b0",
		"040c269d6be017dccb15182ac6bfcd9e2a14de019dd587eaf4bdfd353f031101e7"
		"cca177f8eb362a6e83e7d5e729c0732e1b528879c086f39ba0f31a9661bd34db",
		"005184ff460da2ce59062c87733c299c",
		"bc9f9bbe99f26d0b2260e6456e05a86196a3307ec6663a18bf6ac825736533b2",
		"c2370e1bf813b086dff0d834e74425a06e6390f48f5411900276dcccc5a297ec" },
	{ "", "",
		"7bf46c454b4c1b25799527d896508afd5fc62ef4ec59db1efb49113063d70cca",
		"8cef65df64bb2d0f83540c53632de911b5b24b3eab6cc74a97609fd659e95473",
		"d7a66f64074a84652d8d623a92e20c9675c61cb5b4f6a0063e4648a2fdc02d53",
		"04a65b367a3f613cf9f0654b1b28a1e3a8a40387956c8ba6063e8658563890f46c"
		"a1ef6a676598889fc28de2950ab8120b79a5ef1ea4c9f44bc98f585634b46d66",
		"04589f13218822710d98d8b2123a079041052d9941b9cf88c6617ddb2fcc049466"
		"2eea8ba6b64692dc318250030c6af045cb738bc81ba35b043c3dcb46adf6f58d",
		"fc6374762ba5cf11f4b2caa08b2cd1b9",
		"dfb4db8d48ae5a675963ea5e6c19d98d4ea028d8e898dad96ea19a80ade95dca",
		"d0f0609d1613138d354f7e95f19fb556bf52d751947241e8c7118df5ef0ae175" },
};

static void check_spake2(size_t i)
{
	uint8_t w[32], x[32], y[32], share_a[65], share_b[65];
	struct proto_spake2 a = { PROTO_SPAKE2_A, spake2_vectors[i].a, spake2_vectors[i].b, w, x, NULL, 0 };
	struct proto_spake2 b = { PROTO_SPAKE2_B, spake2_vectors[i].a, spake2_vectors[i].b, w, y, NULL, 0 };
	struct proto_spake2_keys keys_a, keys_b;

	unhex(spake2_vectors[i].w, w, 32);
	unhex(spake2_vectors[i].x, x, 32);
	unhex(spake2_vectors[i].y, y, 32);
	CHECK_INT(proto_spake2_share(&a, share_a), 0);
	CHECK_INT(proto_spake2_share(&b, share_b), 0);
	CHECK(same(share_a, 65, spake2_vectors[i].share_a));
	CHECK(same(share_b, 65, spake2_vectors[i].share_b));
	CHECK_INT(proto_spake2_finish(&a, share_a, share_b, &keys_a), 0);
	CHECK_INT(proto_spake2_finish(&b, share_a, share_b, &keys_b), 0);
	CHECK(memcmp(&keys_a, &keys_b, sizeof keys_a) == 0);
	CHECK(same(keys_a.ke, 16, spake2_vectors[i].ke));
	CHECK(same(keys_a.confirm_a, 32, spake2_vectors[i].confirm_a));
	CHECK(same(keys_b.confirm_b, 32, spake2_vectors[i].confirm_b));
}

TEST(spake2_rfc9382_vectors, "AGT-2,TEN-1,SEC-6")
{
	secret_init();
	for (size_t i = 0; i < ARRAY_LEN(spake2_vectors); i++)
		check_spake2(i);
}

TEST(spake2_refuses_bad_shares, "AGT-2")
{
	uint8_t w[32] = { [31] = 5 }, x[32] = { [31] = 7 }, share_a[65], share_b[65], zero[32] = { 0 };
	struct proto_spake2 a = { PROTO_SPAKE2_A, "a", "b", w, x, NULL, 0 },
			    b = { PROTO_SPAKE2_B, "a", "b", w, zero, NULL, 0 };
	struct proto_spake2_keys keys;

	secret_init();
	CHECK_INT(proto_spake2_share(&a, share_a), 0);
	/* With y = 0 the share is w*N alone, so that the shared point would be the point at infinity. */
	CHECK_INT(proto_spake2_share(&b, share_b), 0);
	CHECK_INT(proto_spake2_finish(&a, share_a, share_b, &keys), ERR_INVALID);
	share_b[64] ^= 1;
	CHECK_INT(proto_spake2_finish(&a, share_a, share_b, &keys), ERR_INVALID);
	memset(share_b, 0, sizeof share_b);
	CHECK_INT(proto_spake2_finish(&a, share_a, share_b, &keys), ERR_INVALID);
}

/* RFC 5869, appendix A.1; RFC 4231, case 2; FIPS 180 "abc". */
TEST(hkdf_hmac_sha256_vectors, "AGT-2,SEC-6")
{
	uint8_t ikm[22], salt[13], info[10], prk[32], okm[42], mac[32], digest[32];

	memset(ikm, 0x0b, sizeof ikm);
	unhex("000102030405060708090a0b0c", salt, sizeof salt);
	unhex("f0f1f2f3f4f5f6f7f8f9", info, sizeof info);
	CHECK_INT(proto_hkdf_extract(salt, sizeof salt, ikm, sizeof ikm, prk), 0);
	CHECK(same(prk, 32, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
	CHECK_INT(proto_hkdf_expand(prk, 32, "", info, sizeof info, okm, sizeof okm), 0);
	CHECK(same(okm, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"));
	CHECK_INT(proto_hmac("Jefe", 4, "what do ya want for nothing?", 28, mac), 0);
	CHECK(same(mac, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
	CHECK_INT(proto_sha256("abc", 3, digest), 0);
	CHECK(same(digest, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

TEST(signatures_and_agreement, "AGT-2")
{
	uint8_t a[65], b[65], ab[32], ba[32], digest[32] = { 1, 2, 3 }, signature[64], other[64], off[65];
	struct secret *key_a, *key_b;

	secret_init();
	key_a = proto_key_new(a);
	key_b = proto_key_new(b);
	CHECK_INT(proto_ecdh(key_a->data, b, ab), 0);
	CHECK_INT(proto_ecdh(key_b->data, a, ba), 0);
	CHECK(memcmp(ab, ba, 32) == 0);
	CHECK_INT(proto_sign(key_a, digest, signature), 0);
	CHECK_INT(proto_verify(a, digest, signature), 0);
	CHECK_INT(proto_verify(b, digest, signature), ERR_TAMPERED);
	for (size_t i = 0; i < sizeof signature; i++) {
		memcpy(other, signature, sizeof other);
		other[i] ^= 0x10;
		CHECK_INT(proto_verify(a, digest, other), ERR_TAMPERED);
	}
	memset(other, 0, sizeof other);
	CHECK_INT(proto_verify(a, digest, other), ERR_TAMPERED);
	digest[0] ^= 1;
	CHECK_INT(proto_verify(a, digest, signature), ERR_TAMPERED);
	memcpy(off, b, sizeof off);
	off[40] ^= 1;
	CHECK_INT(proto_ecdh(key_a->data, off, ab), ERR_INVALID);
	CHECK_INT(proto_point_check(b), 0);
	b[0] = (uint8_t)(6 + b[64] % 2);         /* the hybrid form of the same point: a second encoding */
	CHECK_INT(proto_point_check(b), ERR_INVALID);
	secret_free(key_a);
	secret_free(key_b);
}

TEST(recipient_evidence, "KEY-4,AGT-2")
{
	struct peer p;
	uint8_t one_time[65], other_key[65], signature[64];
	struct secret *key;
	struct proto_signer signer;
	struct proto_recipient r;

	peer_begin(&p);
	key = proto_key_new(one_time);
	signer = proto_signer_of(p.agent_key);
	r = (struct proto_recipient){ p.account, p.agent, "vol-1", one_time };
	CHECK_INT(proto_recipient_sign(&r, &signer, signature), 0);
	CHECK_INT(proto_recipient_verify(&r, p.agent_public, signature), 0);
	CHECK_INT(proto_recipient_verify(&r, p.identity.public_key, signature), ERR_TAMPERED);
	r.device = "vol-2";
	CHECK_INT(proto_recipient_verify(&r, p.agent_public, signature), ERR_TAMPERED);
	r.device = "vol-1";
	r.account.bytes[3] ^= 1;
	CHECK_INT(proto_recipient_verify(&r, p.agent_public, signature), ERR_TAMPERED);
	r.account = p.account;
	r.agent.bytes[3] ^= 1;
	CHECK_INT(proto_recipient_verify(&r, p.agent_public, signature), ERR_TAMPERED);
	r.agent = p.agent;
	r.key = p.identity.public_key;
	CHECK_INT(proto_recipient_verify(&r, p.agent_public, signature), ERR_TAMPERED);
	memset(other_key, 0, sizeof other_key);
	r.key = other_key;
	CHECK_INT(proto_recipient_verify(&r, p.agent_public, signature), ERR_INVALID);
	secret_free(key);
	peer_end(&p);
}

/* Enrolment */

static int enrol(struct peer *p, const char *passphrase, struct proto_enrolled *out)
{
	struct proto_transport t = { .post = peer_post, .ctx = p };
	struct proto_description d = { .provider = "native",
		.instance_id = "i-1",
		.host = { .name = "h", .system = "linux", .agent_version = "1" } };
	struct proto_signer signer = proto_signer_of(p->agent_key);
	uint8_t public_key[65];

	CHECK_INT(proto_key_public(p->agent_key->data, public_key), 0);
	return proto_enrol(&t, &p->account, passphrase, public_key, &signer, &d, out);
}

static void enrol_begin(struct peer *p)
{
	peer_begin(p);
	CHECK_INT(proto_enrol_verifier(&p->account, PEER_PASSPHRASE, p->verifier), 0);
}

TEST(enrolment, "TEN-1,AGT-2")
{
	struct peer p;
	struct proto_enrolled e;
	struct proto_client c;

	enrol_begin(&p);
	memset(p.agent_public, 0, sizeof p.agent_public);
	CHECK_INT(enrol(&p, PEER_PASSPHRASE, &e), 0);
	CHECK(uuid_equal(&e.agent, &p.agent));
	CHECK(memcmp(e.server_key, p.identity.public_key, 65) == 0);
	CHECK_INT(e.server_time, p.now);
	CHECK_STR(p.enrolled.description.instance_id, "i-1");
	CHECK_STR(p.enrolled.description.host.name, "h");
	CHECK(uuid_equal(&p.enrolled.account, &p.account));
	peer_client(&p, &c);
	CHECK_INT(peer_beat(&c), 0);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(enrolment_wrong_passphrase_and_unknown_account_look_alike, "TEN-1,TEN-4,AGT-2")
{
	struct peer p;
	struct proto_enrolled e = { 0 };
	uint8_t verifier[32];

	enrol_begin(&p);
	CHECK_INT(enrol(&p, "correct horse battery stapl", &e), ERR_UNAUTHENTICATED);
	CHECK_INT(p.enrolment.state, PROTO_STATE_DEAD);
	p.known = 0;
	CHECK_INT(enrol(&p, PEER_PASSPHRASE, &e), ERR_UNAUTHENTICATED);
	CHECK(uuid_is_nil(&e.agent));
	CHECK_INT(proto_enrol_verifier(&p.account, "", verifier), ERR_INVALID);
	/* Another account's verifier is of no use: the account is in the salt. */
	p.known = 1;
	struct uuid other = uuid_new();
	CHECK_INT(proto_enrol_verifier(&other, PEER_PASSPHRASE, p.verifier), 0);
	CHECK_INT(enrol(&p, PEER_PASSPHRASE, &e), ERR_UNAUTHENTICATED);
	peer_end(&p);
}

TEST(enrolment_refusal_is_private, "TEN-7,AGT-2")
{
	struct peer p;
	struct proto_enrolled e = { 0 };

	enrol_begin(&p);
	p.enrol_code = ERR_SUSPENDED;
	CHECK_INT(enrol(&p, PEER_PASSPHRASE, &e), ERR_SUSPENDED);
	CHECK_STR(err_text(), "the server refuses: not now");
	CHECK(uuid_is_nil(&e.agent));
	peer_end(&p);
}

static int expire_hook(struct peer *p, int down, struct buf *frame)
{
	if (down && frame->data[4] == PROTO_ENROL_START_ANSWER)
		p->now += PROTO_HANDSHAKE_TIME;
	return 0;
}

TEST(enrolment_expires, "AGT-2")
{
	struct peer p;
	struct proto_enrolled e;

	enrol_begin(&p);
	p.hook = expire_hook;
	CHECK_INT(enrol(&p, PEER_PASSPHRASE, &e), ERR_EXPIRED);
	peer_end(&p);
}

/* Keeps the agent's last frame and plays it again at once. */
static int replay_hook(struct peer *p, int down, struct buf *frame)
{
	struct buf *kept = p->hook_data, answer = BUF_INIT;
	uint32_t retry;

	if (!down) {
		buf_reset(kept);
		buf_add(kept, frame->data, frame->len);
	} else if (kept->data[4] == PROTO_ENROL_FINISH) {
		proto_error_frame(peer_dispatch(p, kept, &answer), 0, &answer);
		CHECK_INT(proto_error_read(answer.data, answer.len, &retry), ERR_REPLAYED);
	}
	buf_free(&answer);
	return 0;
}

TEST(enrolment_cannot_be_tried_twice, "AGT-2,TEN-1")
{
	struct peer p;
	struct proto_enrolled e;
	struct buf kept = BUF_INIT;

	enrol_begin(&p);
	p.hook = replay_hook;
	p.hook_data = &kept;
	CHECK_INT(enrol(&p, PEER_PASSPHRASE, &e), 0);
	CHECK_INT(enrol(&p, "guess", &e), ERR_UNAUTHENTICATED);
	buf_free(&kept);
	peer_end(&p);
}

/* Sessions */

TEST(session_and_messages, "AGT-2,AGT-5")
{
	struct peer p;
	struct proto_client c;

	peer_begin(&p);
	peer_client(&p, &c);
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(p.requests, 2);
	CHECK_INT(p.sessions_count, 1);
	CHECK(uuid_equal(&p.sessions[0].agent, &p.agent));
	CHECK_INT(p.sessions[0].highest, 2);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(refusals_keep_their_code_and_words, "AGT-2,TEN-7")
{
	struct peer p;
	struct proto_client c;
	struct proto_key_poll poll = { .request = uuid_new() };
	struct proto_key_answer answer;

	peer_begin(&p);
	peer_client(&p, &c);
	CHECK_INT(proto_call(&c, PROTO_KEY_POLL, &poll, &answer), ERR_SUSPENDED);
	CHECK_STR(c.refusal.text, "account is suspended");
	CHECK_INT(c.refusal.retry_after_s, 300);
	CHECK_INT(p.sessions_count, 1);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(session_is_remade_when_lost_or_over, "AGT-2,AGT-5")
{
	struct peer p;
	struct proto_client c;

	peer_begin(&p);
	peer_client(&p, &c);
	CHECK_INT(peer_beat(&c), 0);
	memset(p.sessions, 0, sizeof p.sessions);                /* the server has started anew */
	p.sessions_count = 0;
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(p.requests, 2);
	p.now += 3600 * CLOCK_SECOND;                            /* over for the server */
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(p.sessions_count, 2);
	CHECK_INT(p.sessions[0].state, PROTO_STATE_DEAD);
	c.expires = clock_ticks();                               /* over for the agent */
	CHECK_INT(peer_beat(&c), 0);
	CHECK_INT(p.sessions_count, 3);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(session_lifetime_has_a_limit, "AGT-2")
{
	struct peer p;
	struct proto_client c;

	peer_begin(&p);
	p.lifetime = UINT32_MAX;
	peer_client(&p, &c);
	CHECK_INT(proto_connect(&c), 0);
	CHECK_INT(p.sessions[0].expires - p.now, PROTO_SESSION_TIME_MAX);
	CHECK(c.expires <= clock_ticks() + PROTO_SESSION_TIME_MAX);
	proto_disconnect(&c);
	peer_end(&p);
}

TEST(server_with_another_key_is_refused, "AGT-1,AGT-2")
{
	struct peer p, evil;
	struct proto_client c;

	peer_begin(&p);
	peer_begin(&evil);
	peer_client(&p, &c);
	c.transport.ctx = &evil;                                 /* TLS is broken, somebody else answers */
	CHECK_INT(peer_beat(&c), ERR_UNAUTHENTICATED);
	CHECK(c.keys == NULL);
	CHECK_INT(evil.sessions[0].state, PROTO_STATE_STARTED);  /* and the agent has not said who it is */
	peer_end(&evil);
	peer_end(&p);
}

TEST(unknown_agent_and_wrong_key_are_refused_alike, "AGT-2,TEN-4")
{
	struct peer p, other;
	struct proto_client c;
	uint8_t right[65];

	peer_begin(&p);
	peer_begin(&other);
	peer_client(&p, &c);
	c.signer = proto_signer_of(other.agent_key);
	CHECK_INT(peer_beat(&c), ERR_UNAUTHENTICATED);
	peer_client(&p, &c);
	c.agent = other.agent;
	CHECK_INT(peer_beat(&c), ERR_UNAUTHENTICATED);
	peer_client(&p, &c);
	c.account = other.account;                               /* exists or not: the same */
	CHECK_INT(peer_beat(&c), ERR_UNAUTHENTICATED);
	/* The agent's own idea of its key counts as well: identity and key are signed together. */
	peer_client(&p, &c);
	memcpy(right, c.public_key, sizeof right);
	memcpy(c.public_key, other.agent_public, sizeof c.public_key);
	CHECK_INT(peer_beat(&c), ERR_UNAUTHENTICATED);
	memcpy(c.public_key, right, sizeof right);
	CHECK_INT(peer_beat(&c), 0);
	proto_disconnect(&c);
	peer_end(&other);
	peer_end(&p);
}

/* A session of one tenant's agent is named by another's. */
TEST(foreign_session_id, "TEN-4,AGT-2")
{
	struct peer p;
	struct proto_client a, b;
	struct uuid own;

	peer_begin(&p);
	peer_client(&p, &a);
	peer_client(&p, &b);
	CHECK_INT(proto_connect(&a), 0);
	CHECK_INT(proto_connect(&b), 0);
	own = b.session;
	b.session = a.session;
	p.sessions_count = PEER_SESSIONS;                        /* no way out by a new handshake */
	CHECK_INT(peer_beat(&b), ERR_TOO_MANY);
	CHECK_INT(p.requests, 0);
	CHECK_INT(p.sessions[0].highest, 0);
	CHECK(b.keys == NULL);
	CHECK_INT(peer_beat(&a), 0);
	CHECK(!uuid_equal(&own, &a.session));
	proto_disconnect(&a);
	proto_disconnect(&b);
	peer_end(&p);
}

TEST_MAIN
