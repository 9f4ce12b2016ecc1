/*
 * Tests of daemon/target/: what real processes of this machine are found to be, and how what is no target is refused.
 */
#define _GNU_SOURCE
#include "test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../../daemon/target/process.h"
#include "../../daemon/target/target.h"
#include "child.h"

#define TICK_NS (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK))
#define SCRIPT                                                                                                         \
	"import sys\n"                                                                                                 \
	"print('%d.%d.%d' % sys.version_info[:3], flush=True)\n"                                                       \
	"sys.stdin.read()\n"

static char **main_arguments;

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void skip_because(const char *reason)
{
	print_message("skipped: %s\n", reason);
	skip();
}

static void need_python(void)
{
	if (access(CHILD_PYTHON, X_OK) < 0)
		skip_because("no " CHILD_PYTHON " here");
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip_because("needs root");
}

/* It is the Python that it says it is. */
static void check_python(const struct child *child, struct target *ret_target)
{
	char why[TARGET_WHY_SIZE], version[32];

	if (target_inspect(child->pid, ret_target, why) < 0)
		fail_msg("%s", why);
	snprintf(version, sizeof(version), "%u.%u.%u", ret_target->python[0], ret_target->python[1],
		 ret_target->python[2]);
	assert_string_equal(version, child->ready);
	assert_int_equal(ret_target->kernel.flags, NT_TARGET_FOLLOW | NT_TARGET_TRACE | NT_TARGET_PYTHON);
	assert_int_equal(ret_target->kernel.layout.minor, ret_target->python[1]);
	assert_true(ret_target->kernel.runtime != 0);
	assert_false(ret_target->free_threaded);
	assert_int_equal(access(ret_target->binary, R_OK), 0);
}

/* Refused with this error, in one line that has these words in it. */
static void check_refused(pid_t pid, int error, const char *words, struct target *ret_target)
{
	char why[TARGET_WHY_SIZE];

	assert_int_equal(target_inspect(pid, ret_target, why), error);
	if (!strstr(why, words))
		fail_msg("\"%s\" does not say \"%s\"", why, words);
	assert_null(strchr(why, '\n'));
	assert_true(why[strlen(why) - 1] != '.');
	assert_int_equal(ret_target->kernel.flags & NT_TARGET_PYTHON, 0);
}

static bool file_contains(const char *path, const char *text)
{
	char command[1024];

	snprintf(command, sizeof(command), "grep -qaF '%s' '%s'", text, path);
	return system(command) == 0;
}

static void test_system_python(void **state)
{
	char *arguments[] = {"python3", "-c", SCRIPT, "two words", NULL};
	uint64_t before, after;
	struct target target;
	struct child child;

	(void)state;
	need_python();
	before = now(CLOCK_MONOTONIC);
	assert_true(child_start(&child, CHILD_PYTHON, arguments));
	after = now(CLOCK_MONOTONIC);
	check_python(&child, &target);
	assert_int_equal(target.pid, child.pid);
	assert_int_equal(target.parent, getpid());
	assert_true(target.start + 2 * TICK_NS >= before && target.start <= after + TICK_NS);
	assert_string_equal(target.command, "python3 -c import sys?print('%d.%d.%d' % sys.version_info[:3], "
					    "flush=True)?sys.stdin.read()? two words");
	assert_int_equal(target.usdt.entry, file_contains(target.binary, "function__entry"));
	assert_int_equal(target.usdt.returned, file_contains(target.binary, "function__return"));
	child_end(&child);
}

/* Neither the name nor the path of the file says what it is, and then it is deleted as well. */
static void test_renamed_and_deleted(void **state)
{
	char directory[128], path[160];
	char *arguments[] = {"gunicorn: worker", "-c", SCRIPT, NULL};
	struct target target;
	struct child child;

	(void)state;
	need_python();
	assert_true(child_make_directory(directory, sizeof(directory)));
	snprintf(path, sizeof(path), "%s/worker", directory);
	assert_true(child_copy_file(CHILD_PYTHON, path));
	if (!child_start(&child, path, arguments)) {
		child_end(&child);
		child_remove(directory);
		skip_because("a copied " CHILD_PYTHON " does not start");
	}
	check_python(&child, &target);
	assert_non_null(strstr(target.binary, "/worker"));
	assert_int_equal(unlink(path), 0);
	check_python(&child, &target);
	assert_null(strstr(target.binary, "/worker"));
	child_end(&child);
	child_remove(directory);
}

static void test_many_of_one_binary(void **state)
{
	char *arguments[] = {"python3", "-c", SCRIPT, NULL};
	uint64_t began, took[100], best = UINT64_MAX;
	struct target target;
	struct child child;
	unsigned i;

	(void)state;
	need_python();
	assert_true(child_start(&child, CHILD_PYTHON, arguments));
	check_python(&child, &target);
	for (i = 0; i < 100; i++) {
		began = now(CLOCK_MONOTONIC);
		check_python(&child, &target);
		took[i] = now(CLOCK_MONOTONIC) - began;
		best = took[i] < best ? took[i] : best;
	}
	print_message("a further process of a known binary: %.3f ms\n", (double)best / 1e6);
	assert_true(best < 1000000); /* with the sanitizers; parsing it anew takes several */
	child_end(&child);
}

/* Started by naming the loader: the program that runs is ld.so, and Python a file that it mapped. */
static void test_started_by_loader(void **state)
{
	static const char loader[] = "/lib64/ld-linux-x86-64.so.2";
	char *arguments[] = {"ld.so", CHILD_PYTHON, "-c", SCRIPT, NULL};
	struct target target;
	struct child child;

	(void)state;
	need_python();
	if (access(loader, X_OK) < 0)
		skip_because("no glibc here");
	assert_true(child_start(&child, loader, arguments));
	check_python(&child, &target);
	child_end(&child);
}

struct embedded {
	void *runtime;
	unsigned minor;
};

/* Loads the first libpython there is, as a server that embeds Python does, and waits. */
static void embed(int report, int hold)
{
	struct embedded embedded = {0};
	void *library = NULL;
	char name[32], byte;

	for (embedded.minor = 15; !library && embedded.minor > 8; embedded.minor -= !library) {
		snprintf(name, sizeof(name), "libpython3.%u.so.1.0", embedded.minor);
		library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	}
	if (library)
		embedded.runtime = dlsym(library, "_PyRuntime");
	if (write(report, &embedded, sizeof(embedded)) != (ssize_t)sizeof(embedded) || read(hold, &byte, 1) < 0)
		_exit(1);
	_exit(0);
}

static void test_embedded_library(void **state)
{
	struct embedded embedded;
	char why[TARGET_WHY_SIZE];
	int report[2], hold[2], r;
	struct target target;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(report), 0);
	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		embed(report[1], hold[0]);
	}
	assert_int_equal(read(report[0], &embedded, sizeof(embedded)), sizeof(embedded));
	r = target_inspect(pid, &target, why);
	close(hold[1]);
	waitpid(pid, NULL, 0);
	close(hold[0]);
	close(report[0]);
	close(report[1]);
	if (!embedded.runtime) {
		assert_int_equal(r, -ENOEXEC);
		skip_because("no libpython here");
	}
	assert_int_equal(r, 0);
	assert_int_equal(target.python[1], embedded.minor);
	assert_ptr_equal((void *)(uintptr_t)target.kernel.runtime, embedded.runtime);
	assert_non_null(strstr(target.binary, "libpython"));
}

static void test_no_python(void **state)
{
	char *arguments[] = {"sh", "-c", "echo ready; exec cat", NULL};
	struct target target;
	struct child child;

	(void)state;
	assert_true(child_start(&child, "/bin/sh", arguments));
	check_refused(child.pid, -ENOEXEC, "runs no Python", &target);
	assert_int_equal(target.kernel.flags, NT_TARGET_FOLLOW);
	assert_int_equal(target.python[0], 0);
	assert_string_equal(target.binary, "");
	child_end(&child);
	check_refused(target.pid, -ESRCH, "there is no process", &target);
}

static void test_no_process(void **state)
{
	siginfo_t info;
	struct target target;
	pid_t pid;

	(void)state;
	check_refused(0, -ESRCH, "there is no process", &target);
	check_refused(-5, -ESRCH, "there is no process", &target);
	check_refused(INT32_MAX, -ESRCH, "there is no process", &target);
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	check_refused(pid, -ESRCH, "has ended", &target); /* a zombie */
	waitpid(pid, NULL, 0);
	check_refused(pid, -ESRCH, "there is no process", &target);
}

struct waiting_thread {
	int ready[2], go[2];
	pid_t id;
};

static void *wait_in_thread(void *context)
{
	struct waiting_thread *thread = context;
	char byte = 0;

	thread->id = (pid_t)syscall(SYS_gettid);
	if (write(thread->ready[1], &byte, 1) == 1 && read(thread->go[0], &byte, 1) < 0)
		abort();
	return NULL;
}

static void test_thread_is_no_process(void **state)
{
	struct waiting_thread thread;
	struct target target;
	pthread_t handle;
	char byte;

	(void)state;
	assert_int_equal(pipe(thread.ready), 0);
	assert_int_equal(pipe(thread.go), 0);
	assert_int_equal(pthread_create(&handle, NULL, wait_in_thread, &thread), 0);
	assert_int_equal(read(thread.ready[0], &byte, 1), 1);
	check_refused(thread.id, -ESRCH, "is a thread of process", &target);
	close(thread.go[1]);
	pthread_join(handle, NULL);
	close(thread.go[0]);
	close(thread.ready[0]);
	close(thread.ready[1]);
}

static void test_kernel_thread(void **state)
{
	char name[32];
	struct target target;

	(void)state;
	need_root();
	if (process_read_file(2, "comm", name, sizeof(name)) <= 0 || strcmp(name, "kthreadd\n") != 0)
		skip_because("process 2 is no kernel thread here");
	check_refused(2, -ENOEXEC, "the kernel's own", &target);
	assert_string_equal(target.command, "[kthreadd]");
}

static void test_no_permission(void **state)
{
	struct target target;
	int status;
	pid_t pid;

	(void)state;
	need_root();
	pid = fork();
	if (pid == 0) {
		char why[TARGET_WHY_SIZE];

		if (setuid(65534) < 0)
			_exit(2);
		_exit(target_inspect(getppid(), &target, why) == -EACCES && strstr(why, "CAP_SYS_PTRACE") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void own_mounts(const char *directory)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", directory, "tmpfs", 0, NULL) < 0)
		_exit(126);
}

/* As in a container: the interpreter lies in a file system that only the target has. */
static void enter_own_mounts(void *context)
{
	char path[192];

	own_mounts(context);
	snprintf(path, sizeof(path), "%s/worker", (const char *)context);
	if (!child_copy_file(CHILD_PYTHON, path))
		_exit(125);
}

static void test_other_mount_namespace(void **state)
{
	char directory[128], path[160];
	char *arguments[] = {path, "-c", SCRIPT, NULL};
	struct target target;
	struct child child;
	bool started;

	(void)state;
	need_python();
	need_root();
	assert_true(child_make_directory(directory, sizeof(directory)));
	snprintf(path, sizeof(path), "%s/worker", directory);
	started = child_start_in(&child, enter_own_mounts, directory, path, arguments, environ);
	if (started) {
		assert_int_equal(access(path, F_OK), -1);
		check_python(&child, &target);
		assert_non_null(strstr(target.binary, "/worker"));
	}
	child_end(&child);
	child_remove(directory);
	if (!started)
		skip_because("no mount namespaces here");
}

/* A chroot within our own mount namespace: its paths look longer to us than to itself. */
static void enter_chroot(void *context)
{
	if (chroot(context) < 0 || chdir("/") < 0)
		_exit(126);
}

/* In a mount namespace that target and tracer share, so that nothing is left mounted whatever happens. */
static int check_chroot(const char *directory)
{
	char *arguments[] = {"python3", "-c", SCRIPT, NULL};
	char why[TARGET_WHY_SIZE], link[64];
	struct target target;
	struct child child;
	int r = 0;

	own_mounts(directory);
	if (mount("/", directory, NULL, MS_BIND, NULL) < 0)
		return 126;
	if (!child_start_in(&child, enter_chroot, (void *)directory, CHILD_PYTHON, arguments, environ))
		return 125;
	if (process_read_link(child.pid, "exe", link, sizeof(link)) < 0 || strncmp(link, directory, strlen(directory)))
		r = 1;
	else if (target_inspect(child.pid, &target, why) < 0 || access(target.binary, R_OK) < 0)
		r = 2;
	child_end(&child);
	return r;
}

static void test_chroot(void **state)
{
	char directory[128];
	int status;
	pid_t pid;

	(void)state;
	need_python();
	need_root();
	assert_true(child_make_directory(directory, sizeof(directory)));
	pid = fork();
	if (pid == 0)
		_exit(check_chroot(directory));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rmdir(directory);
	if (WEXITSTATUS(status) >= 125)
		skip_because("no bind mount of the root here");
	assert_int_equal(status, 0);
}

/* A name with everything in it that could confuse a reader of /proc/PID/stat. */
static void test_stat_of_odd_name(void **state)
{
	struct process_stat stat, again;
	int ready[2], go[2];
	char byte = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		prctl(PR_SET_NAME, "a) Z 1 (\n)");
		/* Titles replace the arguments: here by nothing. */
		memset(main_arguments[0], 0, strlen(main_arguments[0]));
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(process_read_stat(pid, &stat), 0);
	assert_int_equal(stat.parent, getpid());
	assert_true(stat.state == 'S' || stat.state == 'R');
	assert_int_equal(process_read_stat(pid, &again), 0);
	assert_int_equal(stat.start, again.start);
	close(go[1]);
	waitpid(pid, NULL, 0);
	close(go[0]);
	close(ready[0]);
	close(ready[1]);
}

static void test_clean_text(void **state)
{
	static const struct {
		const char *text, *clean;
	} cases[] = {
	    {"", ""},
	    {"gunicorn: master [shop]", "gunicorn: master [shop]"},
	    {"a\nb\tc\x7f", "a?b?c?"},
	    {"\x1b[31mred", "?[31mred"},
	    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d"},
	    {"\xc2\x9b"
	     "31m",
	     "??31m"},					 /* CSI as one character */
	    {"\xff\xfe latin \xe9t\xe9", "?? latin ?t"}, /* the last byte could begin a character: cut */
	    {"\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe0\x80\x80.", "?? ??? ???? ???."},
	    {"cut \xf0\x9f\x90", "cut "},
	    {"cut \xe2\x82", "cut "},
	    {"cut \xc3", "cut "},
	    {"\x80 not \xbf", "? not ?"},
	};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(text, cases[i].text);
		process_clean_text(text);
		assert_string_equal(text, cases[i].clean);
	}
}

static void test_long_command(void **state)
{
	char long_argument[2 * NT_MAX_NAME];
	char *arguments[] = {"x", "-c", SCRIPT, long_argument, NULL};
	struct target target;
	struct child child;
	size_t i, length;

	(void)state;
	need_python();
	for (i = 0; i + 2 < sizeof(long_argument); i += 2)
		memcpy(long_argument + i, "\xc3\xa9", 3);
	for (i = 0; i < 2; i++) { /* one of them is cut within a character */
		arguments[0] = i ? "xy" : "x";
		assert_true(child_start(&child, CHILD_PYTHON, arguments));
		check_python(&child, &target);
		length = strlen(target.command);
		assert_true(length >= NT_MAX_NAME - 2 && length < NT_MAX_NAME);
		assert_memory_equal(target.command + length - 2, "\xc3\xa9", 2);
		child_end(&child);
	}
}

/* A tree of processes that all end when the pipe's last writing end closes. */
#define TREE_SIZE 5

struct tree_birth {
	size_t at;
	pid_t pid;
};

struct tree {
	pid_t pids[TREE_SIZE]; /* [1] and [2] are children of [0], [3] of [1], [4] of [3] */
	int hold[2];
	unsigned seen;
	size_t order[TREE_SIZE];
};

/* What one process of the tree does: it starts its children, says who it is, and waits for the end. */
static void tree_grow(const struct tree *tree, int report)
{
	static const size_t children[TREE_SIZE][3] = {{1, 2}, {3}, {0}, {4}, {0}};
	struct tree_birth born = {0};
	size_t i;
	char byte;

	close(tree->hold[1]);
	for (i = 0; children[born.at][i] != 0; i++) {
		if (fork() == 0) {
			born.at = children[born.at][i];
			i = (size_t)-1; /* from the start, as this child */
		}
	}
	born.pid = getpid();
	if (write(report, &born, sizeof(born)) != (ssize_t)sizeof(born) || read(tree->hold[0], &byte, 1) < 0)
		_exit(1);
	while (wait(NULL) > 0)
		;
	_exit(0);
}

static void tree_start(struct tree *tree)
{
	struct tree_birth born;
	int report[2];
	unsigned i;

	memset(tree, 0, sizeof(*tree));
	assert_int_equal(pipe(tree->hold), 0);
	assert_int_equal(pipe(report), 0);
	if (fork() == 0)
		tree_grow(tree, report[1]);
	for (i = 0; i < TREE_SIZE; i++) {
		assert_int_equal(read(report[0], &born, sizeof(born)), sizeof(born));
		tree->pids[born.at] = born.pid;
	}
	close(report[0]);
	close(report[1]);
	close(tree->hold[0]);
}

static void tree_end(struct tree *tree)
{
	close(tree->hold[1]);
	waitpid(tree->pids[0], NULL, 0);
}

static int see_descendant(void *context, pid_t child)
{
	struct tree *tree = context;
	size_t i;

	for (i = 0; i < TREE_SIZE; i++)
		if (tree->pids[i] == child)
			tree->order[i] = ++tree->seen;
	return 0;
}

static int refuse_descendant(void *context, pid_t child)
{
	(void)child;
	++*(unsigned *)context;
	return -ECANCELED;
}

static void test_descendants(void **state)
{
	unsigned calls = 0;
	struct tree tree;

	(void)state;
	tree_start(&tree);
	assert_int_equal(target_each_descendant(tree.pids[0], see_descendant, &tree), 0);
	assert_int_equal(tree.seen, TREE_SIZE - 1);
	assert_int_equal(tree.order[0], 0);
	assert_true(tree.order[1] != 0 && tree.order[2] != 0);
	assert_true(tree.order[3] > tree.order[1] && tree.order[4] > tree.order[3]);
	assert_int_equal(target_each_descendant(tree.pids[4], refuse_descendant, &calls), 0);
	assert_int_equal(calls, 0);
	assert_int_equal(target_each_descendant(tree.pids[0], refuse_descendant, &calls), -ECANCELED);
	assert_int_equal(calls, 1);
	tree_end(&tree);
	assert_int_equal(target_each_descendant(tree.pids[0], see_descendant, &tree), -ESRCH);
}

struct ports {
	uint16_t ports[16];
	uint32_t netns;
	unsigned count;
};

static int see_listener(void *context, const struct nt_listener *listener, uint64_t inode)
{
	struct ports *ports = context;

	assert_int_not_equal(inode, 0);
	if (ports->count == 16)
		return -E2BIG;
	ports->netns = listener->netns;
	ports->ports[ports->count++] = listener->port;
	return 0;
}

/* A socket bound to a free port of the loopback address; its port, 0: no such family here. */
static uint16_t bind_socket(int family, bool listens, int *ret_fd)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t size = family == AF_INET ? sizeof(v4) : sizeof(v6);

	*ret_fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*ret_fd < 0 || bind(*ret_fd, address, size) < 0 || (listens && listen(*ret_fd, 1) < 0) ||
	    getsockname(*ret_fd, address, &size) < 0)
		return 0;
	return ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
}

static bool has_port(const struct ports *ports, uint16_t port)
{
	unsigned i;

	for (i = 0; i < ports->count; i++)
		if (ports->ports[i] == port)
			return true;
	return false;
}

static void test_listeners(void **state)
{
	struct ports ports = {0};
	uint16_t v4, v6;
	struct stat status;
	int fds[3];
	unsigned expected;

	(void)state;
	assert_int_equal(target_each_listener(getpid(), see_listener, &ports), 0);
	assert_int_equal(ports.count, 0);
	v4 = bind_socket(AF_INET, true, &fds[0]);
	v6 = bind_socket(AF_INET6, true, &fds[1]);
	assert_int_not_equal(v4, 0);
	assert_int_not_equal(bind_socket(AF_INET, false, &fds[2]), 0); /* bound, but does not listen */
	expected = v6 ? 2 : 1;
	assert_int_equal(target_each_listener(getpid(), see_listener, &ports), 0);
	assert_int_equal(ports.count, expected);
	assert_true(has_port(&ports, v4));
	assert_true(!v6 || has_port(&ports, v6));
	assert_int_equal(stat("/proc/self/ns/net", &status), 0);
	assert_int_equal(ports.netns, status.st_ino);
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	close(fds[2]);
	assert_int_equal(target_each_listener(0, see_listener, &ports), -ESRCH);
	assert_int_equal(target_each_listener(INT32_MAX, see_listener, &ports), -ESRCH);
}

static const char listen_script[] = "import socket, sys\n"
				    "server = socket.socket()\n"
				    "server.bind(('0.0.0.0', 8123))\n"
				    "server.listen()\n"
				    "print('ready', flush=True)\n"
				    "sys.stdin.read()\n";

static void enter_own_network(void *context)
{
	(void)context;
	if (unshare(CLONE_NEWNET) < 0)
		_exit(126);
}

static void test_listener_in_other_namespace(void **state)
{
	char *arguments[] = {"python3", "-c", (char *)listen_script, NULL};
	struct ports ports = {0};
	struct child child;
	struct stat status;
	bool started;

	(void)state;
	need_python();
	need_root();
	started = child_start_in(&child, enter_own_network, NULL, CHILD_PYTHON, arguments, environ);
	if (started) {
		assert_int_equal(target_each_listener(child.pid, see_listener, &ports), 0);
		assert_int_equal(ports.count, 1);
		assert_int_equal(ports.ports[0], 8123);
		assert_int_equal(stat("/proc/self/ns/net", &status), 0);
		assert_int_not_equal(ports.netns, status.st_ino);
	}
	child_end(&child);
	if (!started)
		skip_because("no network namespaces here");
}

static void test_namespaces(void **state)
{
	char text[TARGET_NAMESPACES_SIZE];

	(void)state;
	/* Only what differs is told, and nothing of a process that is not there. */
	assert_false(target_describe_namespaces(getpid(), text));
	assert_false(target_describe_namespaces(INT_MAX, text));
}

int main(int count, char *arguments[])
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_system_python),
	    cmocka_unit_test(test_renamed_and_deleted),
	    cmocka_unit_test(test_many_of_one_binary),
	    cmocka_unit_test(test_started_by_loader),
	    cmocka_unit_test(test_embedded_library),
	    cmocka_unit_test(test_no_python),
	    cmocka_unit_test(test_no_process),
	    cmocka_unit_test(test_thread_is_no_process),
	    cmocka_unit_test(test_kernel_thread),
	    cmocka_unit_test(test_no_permission),
	    cmocka_unit_test(test_other_mount_namespace),
	    cmocka_unit_test(test_chroot),
	    cmocka_unit_test(test_stat_of_odd_name),
	    cmocka_unit_test(test_clean_text),
	    cmocka_unit_test(test_long_command),
	    cmocka_unit_test(test_descendants),
	    cmocka_unit_test(test_listeners),
	    cmocka_unit_test(test_listener_in_other_namespace),
	    cmocka_unit_test(test_namespaces),
	};

	(void)count;
	main_arguments = arguments;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
