/* scratch.h - a folder for files in the making, for jobs. Each is locked by who made it; what a killed process left is removed by the
 * next one that starts. */
#ifndef JOBS_SCRATCH_H
#define JOBS_SCRATCH_H

struct scratch {
	char path[64];
	int lock;                        /* -1: there is none */
};

int scratch_make(struct scratch *s);             /* ERR_IO */
void scratch_remove(struct scratch *s);          /* with what is in it; keeps err_text as it was */
/* Those that nobody holds any more. */
void scratch_clean(void);

#endif
