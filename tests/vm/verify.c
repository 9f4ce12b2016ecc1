/*
 * verify OBJECT: asks the running kernel's verifier about each BPF program of the object file, one at a time, and
 * prints ok, not ok or skip for it. A guest's job (verify.sh): it proves that a kernel takes every program, those too
 * that the rung in use there does not need, and names the one that it refuses. Links libbpf only.
 *
 * Configuration keeps its zeros from the object file, so what the daemon switches on may still add to a program.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

static char verifier_log[1 << 20];

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* The verifier's complaint is the last line before its statistics. Cuts the log and returns the line. */
static const char *last_complaint(void)
{
	char *statistics = strstr(verifier_log, "verification time");
	if (!statistics)
		statistics = strstr(verifier_log, "processed ");
	if (statistics)
		*statistics = '\0';
	size_t length = strlen(verifier_log);
	while (length && verifier_log[length - 1] == '\n')
		verifier_log[--length] = '\0';
	const char *line = strrchr(verifier_log, '\n');
	return line ? line + 1 : verifier_log;
}

static long processed_instructions(void)
{
	const char *text = strstr(verifier_log, "\nprocessed ");
	if (!text)
		text = strstr(verifier_log, "processed ");
	return text ? strtol(strpbrk(text, "0123456789"), NULL, 10) : -1;
}

/* Sees to it that of all programs only the one at `index` is loaded. NULL: there is none at that index. */
static struct bpf_program *choose(struct bpf_object *object, int index)
{
	struct bpf_program *program, *chosen = NULL;
	int at = 0;
	bpf_object__for_each_program (program, object) {
		bpf_program__set_autoload(program, at == index);
		if (at++ == index)
			chosen = program;
	}
	return chosen;
}

static void report(struct bpf_program *program, int error)
{
	const char *name = bpf_program__name(program), *section = bpf_program__section_name(program);
	if (!error)
		printf("ok %s %s, %ld instructions\n", name, section, processed_instructions());
	else if (error == -ESRCH)
		printf("skip %s %s: this kernel has no such function\n", name, section);
	else
		printf("not ok %s %s: %s: %s\n", name, section, strerror(-error), last_complaint());
}

/* Returns whether there was a program at that index. */
static int verify(const char *path, int index)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	if (!object) {
		printf("not ok open %s: %s\n", path, strerror(errno));
		return 0;
	}
	struct bpf_program *program = choose(object, index);
	if (program) {
		verifier_log[0] = '\0';
		bpf_program__set_log_buf(program, verifier_log, sizeof(verifier_log));
		/* Statistics; an error adds its complaint. The whole trace would not fit and would take minutes. */
		bpf_program__set_log_level(program, 4);
		report(program, bpf_object__load(object));
		fflush(stdout);
	}
	bpf_object__close(object);
	return program != NULL;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: verify OBJECT\n");
		return 2;
	}
	libbpf_set_print(print_nothing);
	for (int index = 0; verify(argv[1], index); index++)
		;
	return 0;
}
