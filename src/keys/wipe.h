/* wipe.h - libraries that handle keys get a heap that wipes what is given back. */
#ifndef KEYS_WIPE_H
#define KEYS_WIPE_H

/* OpenSSL's and jansson's memory from here on. Call before either has allocated anything; ends the process otherwise. */
void wipe_install(void);

#endif
