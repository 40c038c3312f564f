/* pages.h - handlers of the Central Management Console's pages, for the route table. */
#ifndef CENTRAL_PAGES_H
#define CENTRAL_PAGES_H

#include "web/call.h"

/* setup.c */
int setup_page(struct call *c), setup_run(struct call *c);
extern const struct route_param setup_query[], setup_fields[];

/* tenants.c */
int tenants_page(struct call *c), tenants_csv(struct call *c), tenant_new_page(struct call *c), tenant_new(struct call *c);
extern const struct route_param tenants_query[], tenant_new_fields[];

/* tenant.c */
int tenant_page(struct call *c), tenant_suspend_ask(struct call *c), tenant_suspend(struct call *c);
int tenant_resume_ask(struct call *c), tenant_resume(struct call *c), tenant_invite(struct call *c);
int tenant_edit_page(struct call *c), tenant_edit(struct call *c);
extern const struct route_param tenant_comment[], tenant_invite_fields[], tenant_edit_fields[];
/* {"name", "colour"} of a state's name. */
json_t *tenant_state_badge(const struct call *c, const char *state);
/* A link for the first administrator, by mail where mails are sent, and the tenant's page with it, which shows it this once. ERR_CONFLICT once
 * somebody has joined. */
int tenant_new_invitation(struct call *c, const struct uuid *tenant, const char *name, const char *email);

/* licences.c */
int licences_page(struct call *c), licences_csv(struct call *c), licences_trial(struct call *c);
extern const struct route_param licences_query[], licences_trial_fields[];
extern const char *const licence_kinds[];
/* A row of store/licence.h's licence_list as pages show it. */
json_t *licence_row(struct call *c, json_t *row);

/* tenant_close.c */
int tenant_close_page(struct call *c), tenant_close_confirm(struct call *c), tenant_close_run(struct call *c), tenant_close_cancel(struct call *c);
int tenant_certificate(struct call *c), tenant_certificate_signature(struct call *c), tenants_certificate_key(struct call *c);
extern const struct route_param tenant_close_fields[], tenant_close_typed[];
/* The member `closing` of a tenant's page; null: nothing is announced. */
json_t *tenant_closing(struct call *c, const struct uuid *id);

/* tenant_quota.c */
int tenant_quota_page(struct call *c), tenant_quota_save(struct call *c);
extern const struct route_param tenant_quota_fields[];

/* api_tokens.c */
int api_tokens_page(struct call *c), api_token_new(struct call *c), api_token_revoke_ask(struct call *c), api_token_revoke(struct call *c);
extern const struct route_param api_tokens_query[], api_token_fields[];

/* tenant_licence.c */
int tenant_licences_page(struct call *c), tenant_licence_issue(struct call *c);
extern const struct route_param tenant_licences_query[], tenant_licence_fields[];

/* overview.c */
int overview_page(struct call *c);
/* What of it is numbers and nobody's name: states, health, areas, troubles, steps, chart; it refreshes itself from URL. */
int overview_numbers(struct call *c, const char *url);

/* wall.c */
int wall_page(struct call *c), wall_ask(struct call *c), wall_start(struct call *c);
/* A link of `keyward operator reset`. */
int operator_invitation(struct call *c);

/* health.c */
int health_page(struct call *c);
/* A row of health/judge.h as pages show it; the caller's. */
json_t *health_row_shown(const struct call *c, const json_t *row);
/* [{ name, area, status }]: how each area does, at its worst. */
json_t *health_areas_shown(const struct call *c, const json_t *rows);

/* jobs.c */
int jobs_page(struct call *c), job_retry_ask(struct call *c), job_retry(struct call *c), job_drop_ask(struct call *c), job_drop(struct call *c);
extern const struct route_param certificates_query[], jobs_query[];

/* certificates.c */
int certificates_page(struct call *c);

/* database.c */
int database_page(struct call *c);

/* keys.c */
int keys_page(struct call *c), keys_save(struct call *c);
extern const struct route_param keys_fields[];

/* key_server.c */
int central_key_server_page(struct call *c), central_key_server_new_keys(struct call *c);
extern const struct route_param central_key_server_new_fields[];

/* appearance.c */
int appearance_page(struct call *c), appearance_save(struct call *c), appearance_remove_ask(struct call *c), appearance_remove(struct call *c);
extern const struct route_param appearance_fields[];

/* mail.c */
int mail_page(struct call *c), mail_save(struct call *c), mail_try(struct call *c);
int mail_remove_ask(struct call *c), mail_remove(struct call *c);
extern const struct route_param mail_fields[], mail_test_fields[];

#endif
