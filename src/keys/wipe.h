/* wipe.h - libraries that handle keys get a heap that wipes what is given back. */
#ifndef KEYS_WIPE_H
#define KEYS_WIPE_H

/* Linking wipe.c changes OpenSSL's and jansson's memory before anything else runs; this ends the process if that failed. */
void wipe_check(void);

#endif
