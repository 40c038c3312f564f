/* judge.h - what is the matter, and what to do: rows of good, warn or bad from the facts of look.h. Pure. */
#ifndef HEALTH_JUDGE_H
#define HEALTH_JUDGE_H

#include <jansson.h>

#include "base/clock.h"

enum health_level { HEALTH_GOOD, HEALTH_WARN, HEALTH_BAD };

const char *health_level_name(enum health_level l);      /* "good", "warn", "bad" */
const char *health_level_label(enum health_level l);     /* for people */
const char *health_level_colour(enum health_level l);    /* of a tag */

/* Where a row belongs, and what pages call that. */
#define HEALTH_AREAS(X) \
	X(PROCESSES, "processes", "Processes") \
	X(QUEUE, "queue", "Job queue") \
	X(WEBHOOKS, "webhooks", "Webhooks") \
	X(DATABASE, "database", "Database") \
	X(DISK, "disk", "Disks") \
	X(CLOCK, "clock", "Clock") \
	X(KEYS, "keys", "Keys and key servers") \
	X(CERTIFICATES, "certificates", "Certificates") \
	X(MAIL, "mail", "Mail") \
	X(BACKUP, "backup", "Backup")

/* One that is silent for longer does not run any more, as far as anybody knows. */
#define HEALTH_SILENT_S 30

/* The rows, the caller's: { area, area_label, name, level, value, advice, given_up (where something can be: so much of it) }: name and value are
 * phrases (base/phrase.h), the others texts in English; ADVICE is "" where nothing is to be done. The worst first within an area; areas in
 * their order. */
json_t *health_judge(const json_t *facts);
enum health_level health_level_of(const json_t *row);
/* The worst of all rows, or of one AREA (NULL: all). */
enum health_level health_worst(const json_t *rows, const char *area);
/* Of one process: a row of store/health.h. */
enum health_level health_of_process(const json_t *process);

#endif
