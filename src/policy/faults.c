/* faults.c - the sentences with which rules and documents are found faulty (rule.c, document.c, value*.c), and those of the store and of imports, for pages
 * in other languages. A test reads the sources and is red when one is missing here. */
#include "policy/faults.h"

#include "base/known.h"
#include "base/phrase.h"
#include "base/say.h"

static const struct known faults[] = {
	/* rules */
	{ N_("no such member: %{name}") },
	{ N_("one of these is needed: %{list}") },
	{ N_("64 hexadecimal digits are needed: what sha256sum prints") },
	{ N_("one address is needed, without a slash; for networks there is \"in-range\"") },
	{ N_("a network such as 10.0.0.0/24 is needed") },
	{ N_("exactly %{n} values are needed") },
	{ N2_("at least %{n} value is needed", "at least %{n} values are needed") },
	{ N2_("at most %{n} value", "at most %{n} values") },
	{ N_("the first of the two has to be the smaller one") },
	{ N_("the first of the two has to be the earlier one") },
	{ N_("\"%{operator}\" takes no value") },
	{ N_("a list of values is needed") },
	{ N_("\"%{type}\" has no subject") },
	{ N_("%{label}: a name is needed") },
	{ N_("a path that begins with / is needed") },
	{ N_("no operator \"%{name}\" for this rule: one of these is needed: %{list}") },
	{ N_("no operator: one of these is needed: %{list}") },
	{ N_("a condition is an object with operator and value") },
	{ N_("at least one condition is needed") },
	{ N_("at most %{n} conditions") },
	{ N_("\"%{type}\" takes one condition only") },
	{ N_("a name has 1 to %{n} bytes") },
	{ N_("there is no rule type \"%{type}\"") },
	{ N_("a rule type is needed") },
	{ N_("\"all\" or \"any\" is needed") },
	{ N_("at most %{n} rules and groups") },
	{ N_("at most %{n} groups within each other") },
	{ N_("a group needs at least one rule") },
	{ N_("a rule is an object with type and conditions, or a group: all, any, not") },
	{ N_("a list of rules is needed") },
	/* values */
	{ N_("a whole number is needed") },
	{ N_("the number is too large") },
	{ N_("a text is needed") },
	{ N_("the last backslash has nothing behind it") },
	{ N_("an address such as 10.0.0.5 or 2001:db8::5 is needed") },
	{ N_("a network such as 10.0.0.0/24 or 2001:db8::/32 is needed") },
	{ N_("%{address} is an address within %{network}; write the network") },
	{ N_("a port such as 22, \"tcp/22\" or \"tcp/8000-8099\" is needed") },
	{ N_("a port such as 22, tcp/22 or tcp/8000-8099 is needed: 1 to 65535") },
	{ N_("a version such as 1.2.3 or 1:3.0.11-1~deb12u2 is needed") },
	{ N_("a day such as 2026-11-21 or a time such as 2026-11-21T08:00:00Z is needed") },
	{ N_("at most 3650d") },
	{ N_("a time such as 7d, 12h, 30m or 90s is needed") },
	{ N_("weekdays is a list such as [\"mon\", \"tue\"]") },
	{ N_("weekdays are mon, tue, wed, thu, fri, sat, sun, each once") },
	{ N_("a time of the day such as 08:00 is needed") },
	{ N_("times of the day are 00:00 to 24:00") },
	{ N_("an object with weekdays, from and to is needed") },
	{ N_("%{name}: only weekdays, from and to") },
	{ N_("from and to need some time between them (a whole day is 00:00 to 24:00)") },
	{ N_("too long: at most 1024 bytes") },
	{ N_("no control characters, please") },
	/* documents */
	{ N_("there is no such member") },
	{ N_("at most %{n} bytes") },
	{ N_("true or false is needed") },
	{ N_("a whole number from %{least} to %{most} is needed") },
	{ N_("an object is needed") },
	{ N_("at most 1000 entries") },
	{ N_("a list is needed") },
	{ N_("a time is needed after which the key is approved automatically") },
	{ N_("fewer people than approvals needed") },
	{ N_("one approval is all that can be asked for where keys are approved after a time") },
	{ N_("a grace period is needed: the time until the key is revoked") },
	{ N_("1 is needed: the version of this form") },
	{ N_("a policy is an object") },
	{ N_("the policy is too large: at most 64 KiB") },
	{ N_("the policy has faults") },
	/* what only the store knows */
	{ "There is a policy with this name already." },
	{ N_("%{email} is nobody here who may decide key requests.") },
	{ N2_("Only %{n} person may give an approval: no key could ever be released.", "Only %{n} people may give an approval: no key could ever be released.") },
	/* imports */
	{ N_("the default policy's lists follow from the other policies: leave them out") },
	{ N_("there is no image %{name} here, or several are called so") },
	{ N_("there is no device %{name} here, or several are called so") },
	{ NULL },
};

json_t *policy_fault_phrase(const char *text)
{
	json_t *out = known_phrase(faults, text);

	return out ? out : json_string(text);
}
