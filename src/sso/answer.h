/* answer.h - the handlers of messages, one family per file; each named answer_<message> (message.h). */
#ifndef SSO_ANSWER_H
#define SSO_ANSWER_H

#include "sso/service.h"

/* answer_directory.c */
int answer_directory_test(struct sso_act *a), answer_directory_sign_in(struct sso_act *a), answer_directory_find(struct sso_act *a);
int answer_directory_look(struct sso_act *a), answer_directory_groups(struct sso_act *a);
int answer_directory_prove(struct sso_act *a);
/* Loads what LDAP and TLS need. Before the process is locked in. */
int rehearse_directory(void);

/* answer_saml.c */
int answer_saml_metadata(struct sso_act *a), answer_saml_describe(struct sso_act *a), answer_saml_start(struct sso_act *a);
int answer_saml_judge(struct sso_act *a), answer_saml_logout(struct sso_act *a), answer_saml_told(struct sso_act *a);
int answer_saml_fetch(struct sso_act *a);
int rehearse_saml(void);

#endif
