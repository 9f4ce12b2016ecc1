/*
 * elf_file.h: looking up symbols, sections and bytes in an ELF file, for the files of this folder only.
 *
 * The file may be hostile: any length or offset in it can be wrong. Addresses are the file's own (link-time) ones.
 */
#ifndef NT_ELF_FILE_H
#define NT_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ELF_FILE_MAX_LOADS 16 /* loadable segments kept; linkers make 2 to 6 */

struct elf_load {
	uint64_t address, offset, file_size;
	bool executable;
};

struct elf_file;

/*
 * Reads the headers of an open file, which must stay open. -ENOEXEC: no ELF program or library; -ENOTSUP: one for
 * another processor or of 32 bits; ret_kind (may be NULL) then says what, in static memory.
 */
int elf_file_open(int fd, struct elf_file **ret_file, const char **ret_kind);
void elf_file_free(struct elf_file *file);

/* Is it loaded to an address of its own choice each time (ET_DYN)? */
bool elf_file_is_relocatable(const struct elf_file *file);

/* Its loadable segments in their order. */
size_t elf_file_loads(const struct elf_file *file, const struct elf_load **ret_loads);

struct elf_symbol {
	const char *name;
	uint64_t address; /* 0: not defined here */
};

enum elf_table { ELF_DYNAMIC_SYMBOLS, ELF_ALL_SYMBOLS };

/* Fills in the addresses of those that `table` defines. */
void elf_file_find_symbols(struct elf_file *file, enum elf_table table, struct elf_symbol *symbols, size_t count);

struct elf_section {
	uint64_t address;
	const uint8_t *data; /* NULL: it has none in the file, or too much */
	size_t size;	     /* of data */
};

/* The first section of that name, its data owned by the file. False: none. */
bool elf_file_find_section(struct elf_file *file, const char *name, struct elf_section *ret_section);

/* Initial contents of memory at `address`: how many of `size` bytes the file has there. */
size_t elf_file_read(const struct elf_file *file, uint64_t address, void *ret_data, size_t size);

#endif
