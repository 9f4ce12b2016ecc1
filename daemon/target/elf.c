/*
 * elf.c: looking up symbols, sections and bytes in an ELF file.
 *
 * A thin layer over libelf that bounds what a hostile file can make it read. Neighbours: binary.c asks what
 * an interpreter needs, usdt.c reads the notes.
 */
#include "elf_file.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ELF_MAX_SECTION (64u << 20) /* bytes of one section; CPython's largest symbol tables have 2 MB */

struct elf_file {
	Elf *elf;
	int fd;
	bool relocatable;
	size_t load_count;
	struct elf_load loads[ELF_FILE_MAX_LOADS];
};

/* What libelf is not asked about: other machines, and counts so large that they stand elsewhere in the file. */
static int elf_check_header(int fd, Elf64_Ehdr *ret_header, const char **ret_kind)
{
	ssize_t got = pread(fd, ret_header, sizeof(*ret_header), 0);

	if (got < 0)
		return -errno;
	if (got < EI_NIDENT + 4 || memcmp(ret_header->e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (ret_header->e_ident[EI_CLASS] == ELFCLASS32) {
		*ret_kind = "a 32-bit program";
		return -ENOTSUP;
	}
	if (ret_header->e_ident[EI_DATA] != ELFDATA2LSB || ret_header->e_machine != EM_X86_64) {
		*ret_kind =
		    ret_header->e_machine == EM_AARCH64 ? "a program for arm64" : "a program for another processor";
		return -ENOTSUP;
	}
	if (got < (ssize_t)sizeof(*ret_header) || ret_header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    (ret_header->e_type != ET_EXEC && ret_header->e_type != ET_DYN))
		return -ENOEXEC;
	if ((ret_header->e_shnum == 0 && ret_header->e_shoff != 0) || ret_header->e_phnum == PN_XNUM)
		return -ENOEXEC;
	return 0;
}

static void elf_read_loads(struct elf_file *file)
{
	size_t count, i;
	GElf_Phdr header;

	if (elf_getphdrnum(file->elf, &count) != 0)
		return;
	for (i = 0; i < count && file->load_count < ELF_FILE_MAX_LOADS; i++) {
		if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		file->loads[file->load_count++] = (struct elf_load){
		    .address = header.p_vaddr,
		    .offset = header.p_offset,
		    .file_size = header.p_filesz,
		    .executable = (header.p_flags & PF_X) != 0,
		};
	}
}

int elf_file_open(int fd, struct elf_file **ret_file, const char **ret_kind)
{
	const char *kind = NULL;
	struct elf_file *file;
	Elf64_Ehdr header;
	int r;

	r = elf_check_header(fd, &header, &kind);
	if (ret_kind)
		*ret_kind = kind;
	if (r < 0)
		return r;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->fd = fd;
	file->relocatable = header.e_type == ET_DYN;
	/* Not mapped: a file that shrinks under us must be a short read, not a SIGBUS. */
	file->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!file->elf || elf_kind(file->elf) != ELF_K_ELF) {
		elf_file_free(file);
		return -ENOEXEC;
	}
	elf_read_loads(file);
	*ret_file = file;
	return 0;
}

void elf_file_free(struct elf_file *file)
{
	if (!file)
		return;
	elf_end(file->elf);
	free(file);
}

bool elf_file_is_relocatable(const struct elf_file *file)
{
	return file->relocatable;
}

size_t elf_file_loads(const struct elf_file *file, const struct elf_load **ret_loads)
{
	*ret_loads = file->loads;
	return file->load_count;
}

static Elf_Data *elf_section_data(Elf_Scn *section, const GElf_Shdr *header)
{
	if (!section || header->sh_type == SHT_NOBITS || header->sh_size == 0 || header->sh_size > ELF_MAX_SECTION)
		return NULL;
	return elf_getdata(section, NULL);
}

/* The name at `offset` in a string table, if it ends within it. */
static const char *elf_string(const Elf_Data *strings, size_t offset)
{
	const char *text = strings->d_buf;

	if (!text || offset >= strings->d_size || !memchr(text + offset, '\0', strings->d_size - offset))
		return NULL;
	return text + offset;
}

static void elf_match_symbol(const GElf_Sym *symbol, const char *name, struct elf_symbol *symbols, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (symbols[i].address == 0 && strcmp(symbols[i].name, name) == 0)
			symbols[i].address = symbol->st_value;
}

static void elf_search_table(struct elf_file *file, Elf_Scn *section, const GElf_Shdr *header,
			     struct elf_symbol *symbols, size_t count)
{
	Elf_Data *table, *strings;
	Elf_Scn *string_section;
	GElf_Shdr string_header;
	const char *name;
	GElf_Sym symbol;
	int i;

	string_section = elf_getscn(file->elf, header->sh_link);
	if (!string_section || !gelf_getshdr(string_section, &string_header))
		return;
	table = elf_section_data(section, header);
	strings = elf_section_data(string_section, &string_header);
	if (!table || !strings)
		return;
	for (i = 0; gelf_getsym(table, i, &symbol); i++) {
		if (symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0)
			continue;
		name = elf_string(strings, symbol.st_name);
		if (name)
			elf_match_symbol(&symbol, name, symbols, count);
	}
}

void elf_file_find_symbols(struct elf_file *file, enum elf_table table, struct elf_symbol *symbols, size_t count)
{
	GElf_Word type = table == ELF_DYNAMIC_SYMBOLS ? SHT_DYNSYM : SHT_SYMTAB;
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(file->elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == type)
			elf_search_table(file, section, &header, symbols, count);
}

bool elf_file_find_section(struct elf_file *file, const char *name, struct elf_section *ret_section)
{
	Elf_Scn *section = NULL, *names_section;
	GElf_Shdr header, names_header;
	Elf_Data *names, *data;
	const char *found;
	size_t names_index;

	if (elf_getshdrstrndx(file->elf, &names_index) != 0)
		return false;
	names_section = elf_getscn(file->elf, names_index);
	if (!names_section || !gelf_getshdr(names_section, &names_header))
		return false;
	names = elf_section_data(names_section, &names_header);
	if (!names)
		return false;
	while ((section = elf_nextscn(file->elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		found = elf_string(names, header.sh_name);
		if (!found || strcmp(found, name) != 0)
			continue;
		data = elf_section_data(section, &header);
		*ret_section = (struct elf_section){
		    .address = header.sh_addr,
		    .data = data ? data->d_buf : NULL,
		    .size = data && data->d_buf ? data->d_size : 0,
		};
		return true;
	}
	return false;
}

size_t elf_file_read(const struct elf_file *file, uint64_t address, void *ret_data, size_t size)
{
	const struct elf_load *load;
	uint64_t into, room;
	ssize_t got;
	size_t i;

	for (i = 0; i < file->load_count; i++) {
		load = &file->loads[i];
		into = address - load->address;
		if (address < load->address || into >= load->file_size)
			continue;
		room = load->file_size - into;
		if (load->offset > INT64_MAX || into > INT64_MAX - load->offset)
			return 0;
		got = pread(file->fd, ret_data, size < room ? size : room, (off_t)(load->offset + into));
		return got > 0 ? (size_t)got : 0;
	}
	return 0;
}
