/*
 * namespaces.c: how a process's view of the machine differs from ours, for people who ask what can be traced.
 *
 * Nothing else needs to know: all that is read of a process is read through its own /proc/PID (process.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "process.h"
#include "target.h"

/* Also "self". 0: there is none of that kind, or it cannot be seen. */
static ino_t namespace_read(const char *process, const char *kind)
{
	struct stat status;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, kind);
	return stat(path, &status) < 0 ? 0 : status.st_ino;
}

/* Its number in its own pid namespace: the last one of the line; 0: not to be had. */
static pid_t namespace_read_pid(pid_t pid)
{
	char text[4096], *line, *last;

	if (process_read_file(pid, "status", text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return 0;
	line[1 + strcspn(line + 1, "\n")] = '\0';
	last = strrchr(line, '\t');
	return last ? (pid_t)strtol(last + 1, NULL, 10) : 0;
}

bool target_describe_namespaces(pid_t pid, char *ret_text)
{
	static const char *const kinds[] = {"pid", "mnt", "net", "user", "cgroup", "ipc", "uts"};
	char process[16];
	size_t length = 0, i;
	ino_t inode;

	snprintf(process, sizeof(process), "%d", pid);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		inode = namespace_read(process, kinds[i]);
		if (inode == 0 || inode == namespace_read("self", kinds[i]))
			continue;
		length += (size_t)snprintf(ret_text + length, TARGET_NAMESPACES_SIZE - length, "%s%s",
					   length > 0 ? ", " : "", kinds[i]);
	}
	if (length > 0 && namespace_read_pid(pid) != pid)
		snprintf(ret_text + length, TARGET_NAMESPACES_SIZE - length, "; its own number there is %d",
			 namespace_read_pid(pid));
	return length > 0;
}
