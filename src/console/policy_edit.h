/* policy_edit.h - what the pages on which a policy is made or changed share: the draft behind them, the frame around them, and what
 * their buttons do. A new policy goes through the steps one after the other, one that there is has them as tabs (POL-2). */
#ifndef CONSOLE_POLICY_EDIT_H
#define CONSOLE_POLICY_EDIT_H

#include "store/policy_draft.h"
#include "web/call.h"

enum policy_step { STEP_GENERAL, STEP_IMAGES, STEP_DEVICES, STEP_RULES, STEP_ACTIONS, STEPS };

/* The parameters of every such page, and of every form on them. */
#define POLICY_PAGE_PARAMS \
	{ "check", "Check", PARAM_BOOL, 0, 0, 0, NULL }      /* show what is wrong */
#define POLICY_FORM_PARAMS \
	{ "go", "Button", PARAM_TEXT, 0, 0, 1000, NULL }, \
	{ "policy", "Policy", PARAM_UUID, 0, 0, 0, NULL }, \
	{ "seen", "Version seen", PARAM_INT, 0, 0, 0, NULL }, \
	{ "why", "Reason for the change", PARAM_TEXT, 0, 0, POLICY_WHY_MAX, NULL }

struct policy_edit {
	struct uuid id;              /* of the draft */
	char id_text[UUID_TEXT_SIZE];
	json_t *draft;               /* policy_draft_get */
	json_t *document;            /* of the draft; borrowed */
	int is_new, is_default;
	int again;                   /* the draft of the form was gone, saved by another window: this is a new one */
	int as_json;                 /* the form is the policy as text: faults are shown there */
	json_t *faults;              /* of the whole document; NULL until policy_edit_check */
};

/* For a page; ERR_NOT_FOUND. */
int policy_edit_load(struct call *c, struct policy_edit *e);
void policy_edit_release(struct policy_edit *e);
/* Puts the members of the frame into the document: edit, steps, conflict; and checks when the page is asked to show what is wrong. */
int policy_edit_frame(struct call *c, struct policy_edit *e, enum policy_step step);
/* The text of the fault at AT, for the field there; NULL: none, or not to be shown. */
const char *policy_edit_fault(const struct policy_edit *e, const char *at);

/* Puts it at the form's field FIELD, where there is one. */
void policy_edit_show_fault(struct call *c, const struct policy_edit *e, const char *field, const char *at);
/* As a sentence in the page's language; the caller frees. */
char *policy_fault_text(const struct call *c, const char *text);
/* FAULTS ([{at, text}]) in the page's language, the caller's. */
json_t *policy_faults_said(const struct call *c, const json_t *faults);

/* For a form: loads and locks the draft; where it is gone because another window, or the same form sent twice, has saved it, a new one of
 * the policy as it is saved now, so that what this form says is not lost. 1, or an error. */
int policy_edit_begin(struct call *c, struct policy_edit *e);
/* Keeps the document as the form made it, then does what the button says: to another step, or to an end. */
int policy_edit_go(struct call *c, struct policy_edit *e, enum policy_step step);
/* The draft DRAFT, locked, for who does something else with it; ERR_NOT_FOUND. And saving it as it is, with the button Create or Save of STEP's page: where that
 * cannot be, it leads to the page that says why. */
int policy_edit_take(struct call *c, struct policy_edit *e, const struct uuid *draft);
int policy_edit_finish(struct call *c, struct policy_edit *e, enum policy_step step);
/* The name of the step in addresses: "general". */
const char *policy_step_name(enum policy_step step);

/* Roles that may decide key requests, ends with NULL. */
const char *const *policy_deciders(void);
/* Every fault of DOCUMENT: the validator's and the database's (ID NULL: a new policy), appended to FAULTS. *CANONICAL, the caller's:
 * its canonical form; NULL with faults. */
int policy_check_document(struct call *c, const struct uuid *id, const json_t *document, json_t *faults, json_t **canonical);
/* The differences between two documents as pages show them: [{label, old, new}]. The caller's. */
json_t *policy_changes(const struct call *c, const json_t *before, const json_t *after);

#endif
