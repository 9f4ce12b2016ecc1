/*
 * binary.h: what an executable or library says about the CPython in it, for the files of this folder only.
 */
#ifndef NT_BINARY_H
#define NT_BINARY_H

#include "elf_file.h"
#include "target.h"

struct binary {
	bool python;	    /* an interpreter is in it */
	uint8_t version[3]; /* all 0: not to be found out from the file */
	bool free_threaded;
	uint64_t runtime;	 /* _PyRuntime's address before relocation; 0: none (before 3.7) */
	struct nt_layout layout; /* major 0: no row for this version */
	struct target_usdt usdt;
	bool relocatable;
	size_t load_count;
	struct elf_load loads[ELF_FILE_MAX_LOADS];
	const char *kind; /* with -ENOTSUP: what it is instead; static */
};

/*
 * Reads an open file, or remembers it: the last BINARY_CACHE files are known by device, inode, size and times.
 * 0; -ENOEXEC no ELF program; -ENOTSUP another processor's; or what fstat says. Not for several threads.
 */
#define BINARY_CACHE 64
int binary_read(int fd, struct binary *ret_binary);

/* Reads the file anew whatever is remembered. */
int binary_parse(int fd, struct binary *ret_binary);

/* For a version that was found in another way: sets it, and its row. */
void binary_set_version(struct binary *binary, uint8_t major, uint8_t minor, uint8_t micro);

/* Finds the first "python3.9", as in file names or an import path, among `size` bytes. False: there is none. */
bool binary_parse_name(const char *text, size_t size, uint8_t *ret_major, uint8_t *ret_minor);

#endif
