/* user_agent.h - what people call their browser and its system, by the User-Agent that it sends: for lists and mails, never for a decision. */
#ifndef SHARED_USER_AGENT_H
#define SHARED_USER_AGENT_H

/* "" where it is not known, or AGENT is NULL. */
const char *user_agent_browser(const char *agent);
const char *user_agent_system(const char *agent);

#endif
