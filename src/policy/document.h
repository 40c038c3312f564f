/* document.h - a whole policy as JSON (POL-8): one parser for the console, import, the API, versions and what-if.
 *
 *     {"keyward_policy": 1, "name": "...", "description": "...", "pooling": false, "rules": [...],
 *      "action": {"on_match": "approve|manual|manual-timeout", "on_mismatch": "approve|manual|deny", "timeout_s": 600},
 *      "approvals": {"needed": 1, "of": ["user@example.com", ...], "expires_s": 86400},
 *      "check": {"scheduled": false, "on_failure": "notify|revoke|revoke-after", "grace_s": 900},
 *      "images": ["native:image-1", ...], "devices": ["..."]}      the last two only in exports and imports
 */
#ifndef POLICY_DOCUMENT_H
#define POLICY_DOCUMENT_H

#include "policy/check.h"
#include "policy/evaluate.h"

#define DOCUMENT_SIZE_MAX (64 * 1024)        /* bytes, as compact JSON */
#define DOCUMENT_NAME_MAX 255
#define DOCUMENT_DESCRIPTION_MAX 4096
#define DOCUMENT_TIMEOUT_MAX_S (365 * 86400)
#define DOCUMENT_EXPIRES_MAX_S (90 * 86400)
#define DOCUMENT_EXPIRES_DEFAULT_S 86400
#define DOCUMENT_GRACE_MAX_S (30 * 86400)
#define DOCUMENT_APPROVALS_MAX 20
#define DOCUMENT_LIST_MAX 1000               /* images, devices, approvers */

/* Strings and lists are the document's own. */
struct policy_document {
	char *name, *description;
	int pooling;
	json_t *rules;               /* canonical */
	enum policy_action on_match, on_mismatch;
	int64_t timeout_s;           /* 0 unless on_match is MANUAL_TIMEOUT */
	struct {
		int needed;              /* 1 or more (RUN-8) */
		json_t *of;              /* addresses of users; empty: everybody who may decide */
		int64_t expires_s;       /* of a half-approved request */
	} approvals;
	struct {
		int scheduled;
		enum check_failure on_failure;
		int64_t grace_s;         /* 0 unless on_failure is CHECK_REVOKE_AFTER */
	} check;
	json_t *images, *devices;    /* NULL: not given */
};

/* 0, or ERR_INVALID with every fault appended to FAULTS (a list; see policy/rule.h) and *OUT untouched. What may be left out: pooling,
 * rules, approvals, check, images, devices (null is the same); name and description are needed (POL-2). */
int document_parse(const json_t *doc, struct policy_document *out, json_t *faults);
/* The canonical form, the caller's: parses to the same again; two documents that mean the same give the same text (json_text). */
json_t *document_json(const struct policy_document *d);
void document_release(struct policy_document *d);            /* frees what it points to; zeroed is fine */
/* The policy in plain words: "A machine gets its key automatically if it is in region eu-west-1; all others wait for a person." A phrase (base/phrase.h), the
 * caller's; NULL where the document has faults. */
json_t *policy_sentence(const json_t *document);
/* What differs between two documents as document_json made them: [{"at": "action/on_match", "label": "If all rules match", "old": "Manual
 * Approve" or null, "new": "Approve" or null}], all but "at" as phrases (base/phrase.h); an empty list: nothing. The caller's. */
json_t *policy_document_diff(const json_t *before, const json_t *after);

#endif
