/* certificates.h - the certificates that the installation uses, read: what each is for, when it ends, how it is renewed. */
#ifndef HEALTH_CERTIFICATES_H
#define HEALTH_CERTIFICATES_H

#include <jansson.h>

#include "base/clock.h"
#include "store/db.h"

#define CERTIFICATE_SOON 30      /* days before its end from which on it is warned of */
#define CERTIFICATE_LATE 7

/* As store/certificate.h asks. The caller's: [{ what, where, renew (both English; what to do), subject, issuer, names, not_before, not_after, days (whole
 * ones that are left; negative once it has ended), self_signed, fingerprint }], the soonest first; one that cannot be read has an `error` and days 0. */
int health_certificates(struct db *db, clock_us now, json_t **out);
/* The same of what a process has in files: [{place, name, pem}] for beat_note, of the state's CA and of files that settings name. The caller's. */
struct conf;
json_t *health_certificate_files(const struct conf *conf);

#endif
