/* reasons.h - the sentences that processes keep as reasons, as base/known.h reads them. */
#ifndef NOTICE_REASONS_H
#define NOTICE_REASONS_H

#include "base/known.h"

extern const struct known reasons_known[];
/* What stands where people's comments stand. */
extern const struct known reasons_comments[];

#endif
