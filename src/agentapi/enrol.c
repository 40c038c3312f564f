/* enrol.c - enrolment (docs/protocol.md, section 4): a machine that knows the account's provisioning passphrase becomes an agent
 * of that account. A wrong passphrase and an account that does not exist look the same from outside; that an account is suspended is told
 * to who knows its passphrase, inside the enrolment. */
#include <stdio.h>
#include <string.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "store/agent.h"
#include "store/audit.h"
#include "store/tenant.h"

#define VERIFIER_PURPOSE "spake2-verifier"

/* The account's verifier in the clear, or NULL in *OUT where there is no such account or nothing was set. */
static int load_verifier(struct frame_call *c, const struct uuid *account, struct secret **out)
{
	struct buf blob = BUF_INIT, wrapped = BUF_INIT;
	int rc = frame_begin(c, account, NULL);

	*out = NULL;
	if (rc == 0)
		rc = tenant_key_to_sign_in(c->db, &wrapped);
	if (rc == 0)
		rc = provisioning_verifier(c->db, &blob);
	if (rc == 0) {
		struct keys_object object = { .tenant = *account, .wrapped_tenant = { (uint8_t *)wrapped.data, wrapped.len },
			.purpose = VERIFIER_PURPOSE, .object = *account };

		rc = keys_reveal(c->keys, &c->request->id, &object, (struct wire_view){ (uint8_t *)blob.data, blob.len }, out);
	}
	db_rollback(c->db);
	buf_free(&blob);
	buf_free(&wrapped);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int frame_enrol_start(struct frame_call *c, struct buf *answer)
{
	struct proto_server_enrolment e;
	struct proto_frame frame;
	struct secret *verifier = NULL;
	int rc = proto_frame_peek(c->data, c->len, &frame);

	/* Each enrolment that is not finished well counts as one guess of its address. */
	if (rc == 0)
		rc = rate_take(c->thread->web->sign_ins, c->request->address, clock_ticks());
	if (rc == 0)
		rc = load_verifier(c, &frame.id, &verifier);
	if (rc == 0 && verifier && verifier->len != PROTO_VERIFIER_SIZE)
		rc = err_set(ERR_TAMPERED, "verifier of %zu bytes", verifier->len);
	if (rc == 0)
		rc = proto_enrol_accept(&e, c->data, c->len, verifier ? verifier->data : NULL, c->now, answer);
	if (rc == 0)
		sessions_put_enrolment(c->sessions, &e, c->now);
	secret_wipe(&e, sizeof e);
	secret_free(verifier);
	return rc;
}

/* Each wrong passphrase is one guess, and the tenant should see it; as it should see machines that come while it is suspended. */
static void note_refusal(struct frame_call *c, const struct uuid *account, const char *reason)
{
	struct audit_object object = { "account", account, NULL };
	int rc = frame_begin(c, account, NULL);

	if (rc == 0)
		rc = audit_log(c->db, AUDIT_AGENT_REFUSED, &object, json_pack("{s:s}", "reason", reason));
	if (rc == 0)
		rc = db_commit(c->db);
	db_rollback(c->db);
	if (rc < 0)
		log_warning("refused enrolment not logged", "why", err_text(), NULL);
}

static int grant(struct frame_call *c, struct proto_server_enrolment *e, const struct proto_enrol_request *wanted,
	struct buf *answer)
{
	uint8_t identity[PROTO_POINT_SIZE];
	const struct proto_description *d = &wanted->description;
	struct inventory description = { .provider = d->provider, .instance_id = d->instance_id, .image_id = d->image_id,
		.image_name = "", .region = "", .zone = "", .host_name = d->host.name, .system = d->host.system,
		.distribution = d->host.distribution, .version = d->host.version, .kernel = d->host.kernel, .arch = d->host.arch };
	struct uuid agent = uuid_new(), instance;
	int rc = keys_identity_public(c->keys, identity);

	if (rc == 0)
		rc = frame_begin(c, &wanted->account, &agent);
	if (rc == 0)
		rc = tenant_is_active(c->db);
	if (rc == 0)
		rc = agent_register(c->db, &agent, wanted->public_key, &description, d->host.agent_version, c->request->address, &instance);
	if (rc == 0)
		rc = proto_enrol_grant(e, &agent, identity, c->now, answer);
	if (rc == 0)
		rc = db_commit(c->db);
	return rc;
}

/* Whoever has got here knows the passphrase: he may know what is the matter. */
static int refuse(struct frame_call *c, struct proto_server_enrolment *e, const struct uuid *account, struct buf *answer)
{
	char reason[64];

	snprintf(reason, sizeof reason, "%s", err_text());
	db_rollback(c->db);
	note_refusal(c, account, reason);
	return proto_enrol_refuse(e, ERR_SUSPENDED, reason, c->now, answer);
}

int frame_enrol_finish(struct frame_call *c, struct buf *answer)
{
	struct proto_enrol_request wanted;
	struct proto_server_enrolment e;
	struct proto_frame frame;
	struct uuid account;
	int rc = proto_frame_peek(c->data, c->len, &frame);

	if (rc == 0)
		rc = sessions_take_enrolment(c->sessions, &frame.id, &e);
	if (rc < 0)
		return rc;
	account = e.account;             /* a failure wipes the enrolment */
	rc = proto_enrol_open(&e, c->data, c->len, c->now, &wanted);
	if (rc == ERR_UNAUTHENTICATED)
		note_refusal(c, &account, "wrong provisioning passphrase");
	if (rc == 0)
		rc = grant(c, &e, &wanted, answer);
	if (rc == ERR_SUSPENDED)
		rc = refuse(c, &e, &account, answer);
	if (rc == 0)
		rate_give(c->thread->web->sign_ins, c->request->address, clock_ticks());
	proto_enrol_wipe(&e);
	return rc;
}
